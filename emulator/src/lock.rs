//! Locks without poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic of another holder does not count.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
