//! Whether gzip files are whole.
//!
//! DuckDB takes the end of a truncated gzip file for the end of its data, and says nothing (seen on 1.5.6): cut at the
//! end of a row, rows would be missing unnoticed. The trailer's length and checksum tell.

use std::{
    fs::File,
    io::{self, BufReader},
};

use finops_core::csv_header::is_gzip;
use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Kind, Result};

/// Reads every `.gz` file among `files` to its end.
///
/// # Errors
/// `Data` naming the first file that is truncated or corrupt.
pub fn check(files: &[String]) -> Result<()> {
    files.iter().filter(|file| is_gzip(file)).try_for_each(|file| check_file(file))
}

fn check_file(path: &str) -> Result<()> {
    let read = || -> io::Result<u64> {
        let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(1 << 20, File::open(path)?));
        io::copy(&mut decoder, &mut io::sink())
    };
    match read() {
        Ok(_) => Ok(()),
        Err(error) => {
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => "is truncated: its gzip data ends too early",
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "is corrupt: its gzip data does not add up",
                _ => "cannot be read",
            };
            Err(Error::new(Kind::Data, format!("{path} {what}")).hint("fetch the file again").cause(error))
        }
    }
}
