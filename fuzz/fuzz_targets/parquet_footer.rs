//! The footer of a Parquet file. The input is read as metadata, and as the complete end of a file.
#![no_main]

use finops_core::files::parquet_footer::{FooterError, read_footer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = read_footer(data, data.len() as u64);
    let mut file = data.to_vec();
    file.extend(u32::try_from(data.len()).expect("inputs are small").to_le_bytes());
    file.extend(b"PAR1");
    let length = file.len() as u64;
    let whole = read_footer(&file, length);
    assert!(!matches!(whole, Err(FooterError::Incomplete(_))), "there is no more to read");
    let Ok(footer) = whole else { return };
    assert_eq!(read_footer(&file[data.len()..], length), Err(FooterError::Incomplete(length)), "it reports the missing length");
    // Bytes before the metadata do not matter.
    let preceded = [b"PAR1", file.as_slice()].concat();
    assert_eq!(read_footer(&preceded, length + 4).as_ref(), Ok(&footer));
});
