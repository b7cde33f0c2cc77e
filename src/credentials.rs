//! Where credentials were looked for, for errors. The texts of the clients' libraries are long, and name no file and no variable.

use std::{env, error::Error as StdError, fs::File, iter, path::PathBuf};

use finops_core::{
    hint,
    model::{shown::shown, text::excerpt},
};

use crate::error::{Error, ErrorKind};

const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// The file of Google's Application Default Credentials, and whether the environment names it. The places and their order are
/// those of google-cloud-auth 1.18: this file, the file that gcloud writes, the metadata server.
pub fn google_file() -> Option<(PathBuf, bool)> {
    let named = env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(|path| (PathBuf::from(path), true));
    named.or_else(|| Some((file_of_gcloud()?, false)).filter(|(file, _)| file.exists()))
}

fn file_of_gcloud() -> Option<PathBuf> {
    Some(PathBuf::from(env::var_os("HOME")?).join(".config/gcloud/application_default_credentials.json"))
}

/// An error of a client's library.
type Cause<'a> = &'a (dyn StdError + 'static);

/// The error for missing credentials of Google.
pub fn no_google(cause: Cause<'_>) -> Error {
    let none = "there are no usable Google credentials";
    let Some((file, is_named)) = google_file() else {
        let file = file_of_gcloud().map(|file| format!(", {} is missing", file.display())).unwrap_or_default();
        let tried = format!("{VARIABLE} is not set{file}, and no metadata server of Google Cloud answers");
        return after(&format!("{none}: {tried}"), cause).hint(hint::LOG_IN);
    };
    let path = shown(&file.display().to_string());
    let from = if is_named { VARIABLE } else { "`gcloud auth application-default login`" };
    let error = match File::open(&file) {
        Ok(_) => after(&format!("{none}: Google gives no token for {path}, the file of {from}"), cause),
        Err(error) => {
            let message = format!("{none}: cannot read {path}, the file of {from}: {error}");
            Error::new(ErrorKind::Credentials, message)
        }
    };
    error.hint(hint::LOG_IN)
}

/// The error for a bucket without usable credentials of AWS.
#[cfg(feature = "s3")]
pub fn no_aws(bucket: &str, cause: Cause<'_>) -> Error {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let keys = if is_set("AWS_ACCESS_KEY_ID") { "AWS_SECRET_ACCESS_KEY" } else { "AWS_ACCESS_KEY_ID" };
    let profile = match env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty()) {
        Some(name) => format!("the profile `{}` (AWS_PROFILE)", excerpt(&name)),
        None => "the profile `default`".to_owned(),
    };
    let message = format!(
        "no usable AWS credentials for s3://{bucket}: {keys} is not set, {profile} gives none, and no role of this machine does"
    );
    // Such as `the SSO token has expired and cannot be refreshed` (seen on aws-config 1.13).
    let of_sso = causes(cause).any(|error| error.to_string().to_ascii_lowercase().contains("sso"));
    after(&message, cause).hint(if of_sso { hint::SIGN_IN } else { hint::AWS_CREDENTIALS })
}

fn after(message: &str, cause: Cause<'_>) -> Error {
    Error::new(ErrorKind::Credentials, format!("{message}{}", last_error(cause)))
}

/// The end of a message: the text of the first of all causes, which is what a server or the network answered. Nothing if it is of a
/// JSON parser, whose text may show a part of a key.
pub fn last_error(error: Cause<'_>) -> String {
    let of_json = causes(error).any(<dyn StdError>::is::<serde_json::Error>);
    let first = causes(error).last().filter(|_| !of_json);
    first.map(|first| format!("; the last error: {}", excerpt(&first.to_string()))).unwrap_or_default()
}

fn causes(error: Cause<'_>) -> impl Iterator<Item = Cause<'_>> {
    iter::successors(Some(error), |error: &Cause<'_>| (*error).source())
}
