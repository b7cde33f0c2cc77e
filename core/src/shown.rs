//! Settings and messages without the credentials that URLs carry: the signature of an Azure SAS URL or of a presigned
//! S3 URL, which is in its query, and `user:password@` before the host.

use std::fmt;

/// What is shown in place of a credential.
const HIDDEN: &str = "***";

/// A text that neither a report nor a log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// For the one who must know it.
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

/// The value of a setting as it may be shown. A path on this machine stays as it is, unless it ends as a signed URL does.
pub fn shown(value: &str) -> String {
    let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let url = value.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
    let (scheme, rest) = url.map_or(("", value), |(scheme, rest)| (&value[..scheme.len() + 3], rest));
    // A file's name may have a `?`, but hardly a `=` behind it.
    let signed = rest.split_once('?').filter(|(_, query)| url.is_some() || query.contains('='));
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

/// A message in which URLs stand between other words. An account such as `user:name@example.com` stays as it is.
pub fn without_credentials(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "`'\"()<>,;".contains(c);
    let word = |word: &str| match word.find("http://").or_else(|| word.find("https://")) {
        Some(at) => format!("{}{}", &word[..at], shown(&word[at..])),
        None => match word.split_once('?') {
            Some((place, query)) if query.contains('=') => format!("{place}?{HIDDEN}"),
            _ => word.to_owned(),
        },
    };
    let part = |part: &str| {
        let end = part.trim_end_matches(|c| ends(c) || ".:".contains(c)).len();
        word(&part[..end]) + &part[end..]
    };
    text.split_inclusive(ends).map(part).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            ("http://user:S#S@host", "http://***@host"),
            ("user:S@localhost:4443", "***@localhost:4443"),
            ("user:S?S=S@localhost", "***"),
            ("md:db?motherduck_token=S", "md:db?***"),
        ] {
            assert_eq!(shown(value), expected);
            assert!(!expected.contains('S'));
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_what_holds_it() {
        let secret = Secret::from("S".to_owned());
        assert_eq!((format!("{:?}", Some(&secret)).as_str(), secret.expose()), ("Some(***)", "S"));
    }

    #[test]
    fn what_holds_no_credential_is_shown_whole() {
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
    fn of_a_message_only_the_urls_change() {
        for (text, expected) in [
            (
                "cannot reach (http://u:S@h:1/x?sig=S): `https://a/?S`, run again",
                "cannot reach (http://***@h:1/x?***): `https://a/?***`, run again",
            ),
            (
                "no folder acct.blob.core.windows.net/c?sig=S: check",
                "no folder acct.blob.core.windows.net/c?***: check",
            ),
            ("user:a@b.c may not read gs://b/a@b, at http://127.0.0.1:9050: why?", ""),
            ("one  two\n\tthree é (`x`)", ""),
        ] {
            assert_eq!(without_credentials(text), if expected.is_empty() { text } else { expected });
        }
    }

    proptest! {
        #[test]
        fn no_secret_is_shown_whatever_is_around_it(
            scheme in "(https?|gs|s3)://", host in "[a-z.]{1,9}(:[0-9]{1,4})?", path in "(/[a-z@:]{0,5}){0,3}",
            secret in "[A-Z#/?=&:]{0,6}SECRET[A-Z#/?=&:@]{0,6}",
        ) {
            for url in [
                format!("{scheme}{host}{path}?sig={secret}"),
                format!("{scheme}user:{secret}@{host}{path}"),
                format!("{scheme}user:{secret}@{host}{path}?sig={secret}"),
            ] {
                prop_assert!(!shown(&url).contains("SECRET"), "{} of {}", shown(&url), url);
            }
        }

        #[test]
        fn a_path_is_shown_whole(path in "(/|\\./|\\.\\./)[a-z0-9@:?/ ]{0,30}") {
            prop_assert_eq!(shown(&path), path);
        }
    }
}
