//! Which of Google's Application Default Credentials are used, without their secrets.

use std::fs;

use finops_core::model::text::excerpt;
use serde_json::Value;

use crate::credentials::google_file;

/// The credentials that finops uses, such as `service account a@b, by /c`.
pub fn described() -> String {
    let Some((file, _)) = google_file() else {
        return "the account of the metadata server".to_owned();
    };
    let json = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).unwrap_or_default();
    format!("{}, by {}", who(&json), file.display())
}

fn who(json: &Value) -> String {
    let impersonated = json["service_account_impersonation_url"].as_str().and_then(|url| {
        let account = url.rsplit('/').next()?.split(':').next()?;
        Some(format!(" as {}", excerpt(account)))
    });
    let impersonated = impersonated.unwrap_or_default();
    match json["type"].as_str() {
        Some("service_account") => format!("service account {}", excerpt(json["client_email"].as_str().unwrap_or("?"))),
        Some("authorized_user") => "a user's login".to_owned(),
        Some("external_account") => format!("workload identity federation{impersonated}"),
        Some("impersonated_service_account") => format!("impersonation{impersonated}"),
        _ => "credentials of another type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_is_named_without_its_secrets() {
        let impersonation =
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/job@p.iam:generateAccessToken";
        for (json, expected) in [
            (json!({"type": "service_account", "client_email": "job@p.iam"}), "service account job@p.iam"),
            (json!({"type": "authorized_user", "client_id": "sesame"}), "a user's login"),
            (json!({"type": "external_account", "audience": "sesame"}), "workload identity federation"),
            (
                json!({"type": "external_account", "service_account_impersonation_url": impersonation}),
                "workload identity federation as job@p.iam",
            ),
            (
                json!({"type": "impersonated_service_account", "service_account_impersonation_url": impersonation}),
                "impersonation as job@p.iam",
            ),
            (json!({"type": "sesame"}), "credentials of another type"),
            (Value::Null, "credentials of another type"),
        ] {
            let mut json = json;
            if json.is_object() {
                json["private_key"] = "sesame".into();
                json["refresh_token"] = "sesame".into();
            }
            assert_eq!(who(&json), expected);
        }
    }
}
