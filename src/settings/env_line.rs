//! A line of `.env`, in the language that `deploy/dotenv.py` reads.

use finops_core::model::text::is_harmful;

/// `NAME=value`, with quotes where a shell would read the bare value differently.
///
/// # Errors
/// What the value has that no quotes can keep.
pub fn env_line(name: &str, value: &str) -> Result<String, &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+,.:/@%=".contains(c);
    if value.contains(is_harmful) {
        Err("has a control character")
    } else if value.chars().all(is_plain) {
        Ok(format!("{name}={value}"))
    } else if !value.contains('\'') {
        Ok(format!("{name}='{value}'"))
    } else if !value.contains(['"', '$', '`', '\\']) {
        Ok(format!("{name}=\"{value}\""))
    } else {
        Err("has a ' and one of \" $ ` \\, which .env cannot have together")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_where_a_shell_would_change_it() {
        for (value, line) in [
            ("gs://b/p", Ok("A=gs://b/p")),
            ("", Ok("A=")),
            ("0 6 * * *", Ok("A='0 6 * * *'")),
            ("~/cur", Ok("A='~/cur'")),
            ("#1", Ok("A='#1'")),
            ("it's $5", Err("has a ' and one of \" $ ` \\, which .env cannot have together")),
            ("it's 5", Ok("A=\"it's 5\"")),
            ("a\u{1b}[31m", Err("has a control character")),
            ("a\nB=1", Err("has a control character")),
        ] {
            assert_eq!(env_line("A", value), line.map(str::to_owned));
        }
    }
}
