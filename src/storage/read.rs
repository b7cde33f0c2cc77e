//! Reads an object's bytes over a network. After an answer that hangs or ends early, the rest is requested again.

use std::ops::Range;

use backon::BackoffBuilder;
use bytes::Bytes;
use finops_core::hint;
use futures::{StreamExt, stream::BoxStream};

use super::limit::Limit;
use crate::{
    error::{Error, ErrorKind, Result},
    http,
};

/// The bytes of one answer, in order.
pub(super) type Body<'a> = BoxStream<'a, Result<Bytes, Failure>>;

/// Why an answer failed or ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Repeating the request may help.
    Passing(Error),
    /// Repeating the request does not help.
    Lasting(Error),
}

/// Calls `take` with the bytes of `range`, in order and each once. `open` requests the rest of the range, on condition that
/// the object did not change since it was listed. Without progress, a request is repeated as often as that of a listing.
pub(super) async fn read<'a, F>(
    limit: &Limit,
    uri: &str,
    range: Range<u64>,
    open: impl Fn(Range<u64>) -> F,
    mut take: impl AsyncFnMut(Bytes) -> Result<()>,
) -> Result<()>
where
    F: Future<Output = Result<Body<'a>, Failure>>,
{
    let mut from = range.start;
    let mut pauses = http::backoff().build();
    while from < range.end {
        let start = from;
        let failure = match once(limit, uri, from..range.end, &open, &mut from, &mut take).await {
            Ok(()) => return Ok(()),
            Err(Failure::Lasting(error)) => return Err(error),
            // Such as a wrong checksum: all bytes arrived.
            Err(Failure::Passing(error)) if from == range.end => return Err(error),
            Err(Failure::Passing(error)) => error,
        };
        if from > start {
            pauses = http::backoff().build();
        }
        let Some(pause) = pauses.next() else { return Err(failure) };
        tracing::info!(failure = %failure, ?pause, "repeating a read request");
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn once<'a, F>(
    limit: &Limit,
    uri: &str,
    range: Range<u64>,
    open: impl Fn(Range<u64>) -> F,
    from: &mut u64,
    take: &mut impl AsyncFnMut(Bytes) -> Result<()>,
) -> Result<(), Failure>
where
    F: Future<Output = Result<Body<'a>, Failure>>,
{
    let _permit = limit.permit().await;
    let end = range.end;
    let mut body = in_time(uri, open(range)).await??;
    while let Some(chunk) = in_time(uri, body.next()).await? {
        let chunk = chunk?;
        *from += chunk.len() as u64;
        if *from > end {
            let what = format!("the answer for {uri} has more bytes than were requested");
            return Err(Failure::Lasting(Error::new(ErrorKind::Storage, what).hint(hint::SERVER_AT_FAULT)));
        }
        take(chunk).await.map_err(Failure::Lasting)?;
    }
    if *from < end {
        let what = format!("reading {uri} ended {} bytes early", end - *from);
        return Err(Failure::Passing(Error::new(ErrorKind::Storage, what).hint(hint::RUN_AGAIN_LATER)));
    }
    Ok(())
}

/// The clients' own time limits count between attempts, or until an answer begins. A body that hangs would never end (seen on
/// google-cloud-storage 1.21).
async fn in_time<T>(uri: &str, answer: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(http::DEADLINE, answer).await.map_err(|_| {
        let seconds = http::DEADLINE.as_secs();
        let error = Error::new(ErrorKind::Storage, format!("{uri} did not arrive within {seconds} s"));
        Failure::Passing(error.hint(hint::NETWORK_OR_ENDPOINT))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::{future, stream};

    use super::*;

    /// Reads `0123456789`. Each answer follows one of `scripts`: so many bytes, then it hangs (`true`) or ends early. Returns
    /// the bytes and the requested ranges.
    async fn reads(scripts: &[(usize, bool)], range: Range<u64>) -> (Result<String>, Vec<Range<u64>>) {
        let (asked, mut got) = (Mutex::new(Vec::new()), Vec::new());
        let open = |range: Range<u64>| {
            let mut asked = asked.lock().unwrap();
            let script = scripts.get(asked.len()).copied();
            asked.push(range.clone());
            async move {
                let at = |at: u64| usize::try_from(at).unwrap();
                let mut bytes = b"0123456789"[at(range.start)..at(range.end)].to_vec();
                bytes.truncate(script.map_or(10, |(length, _)| length));
                let broken = Error::new(ErrorKind::Storage, "ended early");
                let end = match script {
                    Some((_, true)) => stream::pending().boxed(),
                    Some((_, false)) => stream::once(future::ready(Err(Failure::Passing(broken)))).boxed(),
                    None => return Ok(stream::once(future::ready(Ok(bytes.into()))).boxed()),
                };
                Ok(stream::once(future::ready(Ok(bytes.into()))).chain(end).boxed())
            }
        };
        let take = async |bytes: Bytes| {
            got.extend_from_slice(&bytes);
            Ok(())
        };
        let read = read(&Limit::new(), "s3://b/k", range, open, take).await;
        (read.map(|()| String::from_utf8(got).unwrap()), asked.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_an_answer_that_hangs_or_ends_early_is_requested_again() {
        for hangs in [true, false] {
            let (read, asked) = reads(&[(3, hangs), (2, hangs)], 1..9).await;
            assert_eq!((read.unwrap().as_str(), asked), ("12345678", vec![1..9, 4..9, 6..9]), "{hangs}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reading_without_progress_fails_with_a_hint_and_progress_starts_the_attempts_again() {
        for hangs in [true, false] {
            let (read, asked) = reads(&[(0, hangs); 20], 0..10).await;
            let hint = hangs.then_some(hint::NETWORK_OR_ENDPOINT);
            assert_eq!(read.unwrap_err().next_step(), hint);
            assert_eq!(asked, vec![0..10; 5]);
            let mut slow = vec![(0, hangs); 4];
            slow.push((1, hangs));
            slow.extend([(0, hangs); 3]);
            let (read, asked) = reads(&slow, 0..10).await;
            assert_eq!((read.unwrap().as_str(), asked.len()), ("0123456789", 9));
        }
    }

    #[tokio::test]
    async fn a_failure_after_the_last_byte_is_not_repeated() {
        let (read, asked) = reads(&[(10, false)], 0..10).await;
        assert!(read.is_err());
        assert_eq!(asked, vec![0..10]);
    }

    #[tokio::test]
    async fn more_bytes_than_requested_are_a_fault_of_the_server() {
        let open = |_| async { Ok(stream::once(future::ready(Ok(Bytes::from_static(b"0123456789")))).boxed()) };
        let read = read(&Limit::new(), "s3://b/k", 0..4, open, async |_| Ok(())).await;
        assert_eq!(read.unwrap_err().next_step(), Some(hint::SERVER_AT_FAULT));
    }

    #[tokio::test]
    async fn an_empty_range_needs_no_request() {
        assert_eq!(reads(&[], 4..4).await.1, []);
    }
}
