//! Hints about settings and the command line.

super::declare::hints! {
    "Settings";

    /// The command line has something that finops does not know.
    SHOW_HELP = "`finops --help` shows what there is";
    /// Settings are missing or wrong.
    SHOW_CONFIG = "`finops config` shows what counts; .env.example and config.toml.example document every setting";
    /// `config.toml` cannot be read.
    COPY_CONFIG = "copy config.toml.example, or name another file with --config";
    /// `config.toml` is not TOML.
    COMPARE_CONFIG = "compare it with config.toml.example";
    /// `BIGQUERY_EMULATOR_HOST` is no URL.
    EMULATOR_URL = "give it as http://127.0.0.1:9050";
    /// `cur_version` names another version than that of the export.
    CUR_VERSION = "leave AWS_CUR_VERSION (aws.cur_version) out, or name another export";
    /// Several exports lie below the prefix.
    name_export(variable) = "name one with {variable}, or choose a prefix that holds only one";
    /// Exports of the same name lie in several folders below the prefix.
    NARROWER_PREFIX = "choose a prefix that holds only one of these folders";
    /// The settings ask for something that this build of finops leaves out.
    DEFAULT_FEATURES = "use a build with its default features";
    /// There is no folder for downloads.
    SET_TMPDIR = "set TMPDIR";
}
