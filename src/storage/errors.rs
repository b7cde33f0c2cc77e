//! Errors about objects and files.

use std::{io, path::Path};

use finops_core::hint;

use crate::error::{Error, ErrorKind};

/// The error for an object that changed after it was listed.
pub(super) fn replaced(uri: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("{uri} was replaced or removed after it was listed"))
        .hint(hint::WAIT_FOR_WRITER)
}

/// The error for a file or folder of this machine that cannot be written.
pub(crate) fn unwritable(path: &Path, error: io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Storage, hint::DISK_FULL),
        io::ErrorKind::PermissionDenied => (ErrorKind::Permission, hint::MAY_NOT_WRITE),
        _ => (ErrorKind::Storage, hint::CANNOT_WRITE),
    };
    Error::new(kind, format!("cannot write {}", path.display())).hint(hint).cause(error)
}

/// The error for a file or folder of this machine that cannot be read.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Permission,
        _ => ErrorKind::Storage,
    };
    Error::new(kind, format!("cannot read {}", path.display())).hint(hint::READABLE_FILE).cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_not_be_written_says_so() {
        let error = unwritable(Path::new("a"), io::ErrorKind::PermissionDenied.into());
        assert_eq!((error.kind(), error.next_step()), (ErrorKind::Permission, Some(hint::MAY_NOT_WRITE)));
    }

    #[test]
    fn a_file_that_cannot_be_read_says_what_to_check() {
        let error = unreadable(Path::new("a"), io::ErrorKind::NotFound.into());
        assert_eq!((error.kind(), error.next_step()), (ErrorKind::NotFound, Some(hint::READABLE_FILE)));
    }
}
