//! Settings and messages without the credentials that URLs carry: the signature of an Azure SAS URL or of a presigned
//! S3 URL, which is in its query, and `user:password@` before the host.

use std::fmt;

/// The text that replaces a credential.
const HIDDEN: &str = "***";

/// A text that neither a report nor a log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The parameters of signed URLs whose values are credentials, wherever they are.
const PARAMETERS: [&str; 6] =
    ["sig=", "accountkey=", "token=", "x-goog-signature=", "x-amz-signature=", "x-amz-security-token="];

/// The value of a setting without credentials. A path on this machine is unchanged, unless it ends as a signed URL does.
pub fn shown(value: &str) -> String {
    // The content of a key file instead of its path.
    if value.starts_with('{') || value.contains("private_key") {
        return HIDDEN.to_owned();
    }
    without_parameters(&without_user_and_query(value))
}

fn without_user_and_query(value: &str) -> String {
    let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let url = value.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
    let (scheme, rest) = url.map_or(("", value), |(scheme, rest)| (&value[..scheme.len() + 3], rest));
    if url.is_some() && rest.contains("://") && rest.contains('@') {
        // Several URLs in a list, or one within another: which of them has a password is not clear.
        return format!("{scheme}{HIDDEN}");
    }
    // A file's name may have a `?`, but hardly a `=` behind it.
    let signed = rest.split_once(['?', '#']).filter(|(_, query)| url.is_some() || query.contains('='));
    let (place, query) = signed.unwrap_or((rest, ""));
    let host = place.split('/').next().unwrap_or_default();
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let odd_port = !host.starts_with('[') && host.rsplit_once(':').is_some_and(|(_, port)| !is_port(port));
    // A password may have a `/` or a `?` in it; an object's name may have a `@`, and a bucket has no `:`.
    let has_user = match url {
        Some(("gs" | "s3", _)) => host.contains('@') || (host.contains(':') && place.contains('@')),
        Some(_) => place.contains('@'),
        None => host.contains(':') && place.contains('@'),
    };
    let place = if has_user {
        format!("{HIDDEN}@{}", place.rsplit('@').next().unwrap_or_default())
    } else if host.contains(':') && (query.contains('@') || (url.is_some() && odd_port)) {
        return format!("{scheme}{HIDDEN}");
    } else {
        place.to_owned()
    };
    if signed.is_some() { format!("{scheme}{place}?{HIDDEN}") } else { format!("{scheme}{place}") }
}

/// `text` with the values of [`PARAMETERS`] hidden, each up to the next `&` or white space.
fn without_parameters(text: &str) -> String {
    let ends = |c: char| c == '&' || c.is_whitespace();
    let part = |part: &str| {
        let (part, end) = part.split_at(part.trim_end_matches(ends).len());
        let lower = part.to_ascii_lowercase();
        let is_name = |at: usize| !part[..at].ends_with(char::is_alphanumeric);
        let value = |name: &&str| lower.match_indices(name).find(|(at, _)| is_name(*at)).map(|(at, _)| at + name.len());
        match PARAMETERS.iter().filter_map(value).min() {
            Some(at) if at < part.len() => format!("{}{HIDDEN}{end}", &part[..at]),
            _ => format!("{part}{end}"),
        }
    };
    text.split_inclusive(ends).map(part).collect()
}

/// Where the first URL of `word` begins.
fn url(word: &str) -> Option<usize> {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    word.find("://").map(|end| word[..end].trim_end_matches(is_scheme).len())
}

/// A message with URLs between other words. An account such as `user:name@example.com` is unchanged. Most punctuation may
/// be part of a password or a signature (Azure's signed URLs have `spr=https,http`), so it ends no word.
pub fn without_credentials(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "`\"<>".contains(c);
    let word = |word: &str| match (url(word), word.split_once('?')) {
        (Some(at), _) if !word[..at].contains('?') => format!("{}{}", &word[..at], shown(&word[at..])),
        (of_query, Some((place, query))) if of_query.is_some() || query.contains('=') => format!("{place}?{HIDDEN}"),
        _ => word.to_owned(),
    };
    let part = |part: &str| {
        let end = part.trim_end_matches(|c| ends(c) || ".,:;'()".contains(c)).len();
        without_parameters(&word(&part[..end])) + &part[end..]
    };
    text.split_inclusive(ends).map(part).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::text::message;

    #[test]
    fn a_signature_or_a_password_is_never_shown() {
        for (value, expected) in [
            (
                "https://acct.blob.core.windows.net/billing?sv=2024&sig=S",
                "https://acct.blob.core.windows.net/billing?***",
            ),
            ("acct.blob.core.windows.net/billing?sv=2024&sig=S", "acct.blob.core.windows.net/billing?***"),
            ("gs://b/p?X-Goog-Signature=S", "gs://b/p?***"),
            ("http://user:S@127.0.0.1:9050", "http://***@127.0.0.1:9050"),
            ("https://S@host/x?sig=S", "https://***@host/x?***"),
            ("s3://AKIA:S/S@b/p", "s3://***@b/p"),
            ("http://user:S/S?S@host", "http://***"),
            ("http://user:S#S@host", "http://***"),
            ("user:S@localhost:4443", "***@localhost:4443"),
            ("user:S?S=S@localhost", "***"),
            ("md:db?motherduck_token=S", "md:db?***"),
            ("https://host/x#S", "https://host/x?***"),
            (
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=S",
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=***",
            ),
            ("{\"type\":\"service_account\",\"private_key\":\"S\"}", "***"),
            ("http://h/p,https://user:S@h", "http://***"),
            ("sv=2024&sig=S&se=2025", "sv=2024&sig=***&se=2025"),
            ("x-amz-signature=S", "x-amz-signature=***"),
        ] {
            assert_eq!(shown(value), expected);
            assert!(!expected.contains('S'));
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_a_struct_that_has_it() {
        let secret = Secret::from("S".to_owned());
        assert_eq!((format!("{:?}", Some(&secret)).as_str(), secret.expose()), ("Some(***)", "S"));
    }

    #[test]
    fn values_without_credentials_are_shown_whole() {
        for value in [
            "",
            "aws_cur",
            "gs://b/p",
            "s3://b/of@team/p",
            "http://127.0.0.1:9050",
            "http://[::1]:9050/",
            "http://[::1]",
            "localhost:9050",
            ":memory:",
            "md:db",
            "/data/name@example.com/x",
            "/data/a:b@c",
            "./what?/now",
            "../a@b?c",
        ] {
            assert_eq!(shown(value), value);
        }
    }

    #[test]
    fn only_the_credentials_of_a_message_are_hidden() {
        for (text, expected) in [
            (
                "cannot reach (http://u:S@h:1/x?sig=S): `https://a/?S`, run again",
                "cannot reach (http://***@h:1/x?***): `https://a/?***`, run again",
            ),
            (
                "no folder acct.blob.core.windows.net/c?sig=S: check",
                "no folder acct.blob.core.windows.net/c?***: check",
            ),
            ("HTTPS://user:S@h and abfss://c:S@h/x", "HTTPS://***@h and abfss://***@h/x"),
            ("no folder acct/c?sv=2024&spr=https,http&sig=S, check", "no folder acct/c?***, check"),
            ("for 'https://acct/c?spr=https,http&sig=S' in", "for 'https://acct/c?***' in"),
            ("at acct/c?spr=https://x&key=S:", "at acct/c?***:"),
            ("the motherduck_token=S&x of X-Goog-Signature=S", "the motherduck_token=***&x of X-Goog-Signature=***"),
            ("config=a/design=b, pageToken=c, sig=, token= is empty", ""),
            ("user:a@b.c may not read gs://b/a@b, at http://127.0.0.1:9050: why?", ""),
            ("one  two\n\tthree é (`x`)", ""),
        ] {
            assert_eq!(without_credentials(text), if expected.is_empty() { text } else { expected });
        }
    }

    proptest! {
        #[test]
        fn no_secret_is_shown_whatever_is_around_it(
            scheme in "(https?|HTTPS|gs|s3|abfss)://", host in "[a-z.]{1,9}(:[0-9]{1,4})?", path in "(/[a-z@:]{0,5}){0,3}",
            secret in "[A-Z,;'()/#?=&:]{0,6}SECRET[A-Z,;'()/#?=&:@]{0,6}",
        ) {
            for url in [
                format!("{scheme}{host}{path}?sig={secret}"),
                format!("{scheme}user:{secret}@{host}{path}"),
                format!("{scheme}user:{secret}@{host}{path}?sig={secret}"),
            ] {
                let in_message = message(&format!("cannot read {url}: try `{url}` or '{url}', or ({url})"));
                for text in [shown(&url), in_message] {
                    prop_assert!(!text.contains("SECRET"), "{text} of {url}");
                }
            }
        }

        #[test]
        fn a_path_is_shown_whole(path in "(/|\\./|\\.\\./)[a-z0-9@:?/ ]{0,30}") {
            prop_assert_eq!(shown(&path), path);
        }
    }
}
