//! What the registry declares of a setting.

use finops_core::model::provider::Provider;

use super::form::Form;

/// A setting.
#[derive(Debug)]
pub struct Definition {
    /// The variable in the environment; for a provider's setting, the part after `AWS_`. Empty: only `config.toml` has it.
    pub name: &'static str,
    /// The key in `config.toml`; for a provider's setting, the part after `aws.`. Empty: only the environment has it.
    pub key: &'static str,
    /// The value if nothing is set.
    pub default: Option<&'static str>,
    /// What it accepts.
    pub form: Form,
    /// Whether its value is never shown.
    pub is_secret: bool,
    /// Whether a deployment must set it.
    pub is_required: bool,
    /// Who reads the variable.
    pub reader: Reader,
    /// The providers that have it; empty: it is not a provider's.
    pub providers: &'static [Provider],
    /// The value in `.env.example` that everybody must replace.
    pub placeholder: Option<&'static str>,
    /// Its lines in `.env.example`: one, or one per provider.
    pub examples: [Option<Example>; Provider::ALL.len()],
}

/// Who reads a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A run, for all pipelines.
    Run,
    /// A pipeline, for all its exports.
    Pipeline,
    /// An export: `AWS_PROD_TABLE_NAME` for one that `AWS_EXPORTS` names, otherwise `AWS_TABLE_NAME`.
    Export,
    /// Only the scripts in `deploy/`.
    Deployment,
}

/// A setting in `.env.example`.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The text after `=`. Further lines are other variables of the same example.
    pub value: &'static str,
    /// Whether the line is active, not a comment.
    pub is_active: bool,
    /// The comment above the line. Empty: the comment above the line before is for both.
    pub doc: &'static str,
}

/// Settings on one topic, with the title of their section in `.env.example`.
#[derive(Debug)]
pub struct Section {
    /// With `{provider}` in it, there is one section per provider.
    pub title: &'static str,
    /// In the order in which they are shown.
    pub settings: &'static [Definition],
}

impl Definition {
    /// The variable; of an export's setting, the one for all exports of the provider.
    pub fn variable(&self, provider: Option<Provider>) -> String {
        provider.map_or_else(|| self.name.to_owned(), |provider| provider.variable(None, self.name))
    }

    /// What is wrong with the value, if anything is.
    pub fn problem(&self, value: &str) -> Option<String> {
        if self.placeholder == Some(value) {
            return Some(format!("is `{value}`, the placeholder of .env.example: set your own value"));
        }
        self.form.problem(value)
    }

    pub(super) const fn new(reader: Reader, name: &'static str, form: Form) -> Self {
        let (key, default, providers, examples) = ("", None, &[], [None; Provider::ALL.len()]);
        Self {
            name,
            key,
            default,
            form,
            is_secret: false,
            is_required: false,
            reader,
            providers,
            placeholder: None,
            examples,
        }
    }

    pub(super) const fn of(self, providers: &'static [Provider]) -> Self {
        Self { providers, ..self }
    }

    pub(super) const fn key(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// Adds an active line.
    pub(super) const fn active(self, value: &'static str, doc: &'static str) -> Self {
        self.example(Example { value, is_active: true, doc })
    }

    /// Adds an active line whose value everybody must replace.
    pub(super) const fn placeholder(self, value: &'static str, doc: &'static str) -> Self {
        Self { placeholder: Some(value), ..self }.active(value, doc)
    }

    /// Adds a line that is a comment.
    pub(super) const fn comment(self, value: &'static str, doc: &'static str) -> Self {
        self.example(Example { value, is_active: false, doc })
    }

    const fn example(mut self, example: Example) -> Self {
        let mut at = 0;
        while self.examples[at].is_some() {
            at += 1;
        }
        self.examples[at] = Some(example);
        self
    }
}
