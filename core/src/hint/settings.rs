//! Hints about settings and the command line.

super::declare::hints! {
    "Settings";

    /// The command line has something that finops does not know.
    SHOW_HELP = "`finops --help` lists the commands";
    /// Settings are missing or wrong.
    SHOW_CONFIG = "`finops config` shows the current settings; .env.example and config.toml.example document every setting";
    /// A line of `.env` cannot be read.
    CORRECT_LINES = "correct the lines: KEY=value, a value with spaces in quotes, and one with $, ` or \\ in single quotes";
    /// `finops init` would write a file that exists.
    ENV_FILE_EXISTS = "edit it, or move it away and run `finops init` again; .env.example documents every setting";
    /// The input of `finops init` ended too early.
    ANSWER_EACH = "answer each question; a program writes one answer a line, and an empty line for a default";
    /// `config.toml` cannot be read.
    COPY_CONFIG = "copy config.toml.example, or name another file with --config";
    /// `config.toml` is not TOML.
    COMPARE_CONFIG = "compare it with config.toml.example";
    /// `BIGQUERY_EMULATOR_HOST` is not a URL.
    EMULATOR_URL = "set it to a URL such as http://127.0.0.1:9050";
    /// `cur_version` names another version than that of the export.
    CUR_VERSION = "remove AWS_CUR_VERSION (aws.cur_version), or name another export";
    /// There are several exports below the prefix.
    name_export(variable) = "name one with {variable}, or choose a prefix that has only one";
    /// Exports of the same name are in several folders below the prefix.
    NARROWER_PREFIX = "choose a prefix that has only one of these folders";
    /// The settings need something that this build of finops does not include.
    DEFAULT_FEATURES = "use a build with its default features";
    /// There is no folder for downloads.
    SET_TMPDIR = "set TMPDIR";
}
