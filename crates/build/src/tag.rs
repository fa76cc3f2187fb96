//! Tags: what the configured tagger makes of an artifact.

mod custom;
mod git;
mod input_digest;

use devloop_clients::git::GitError;
use devloop_model::Artifact;
use devloop_model::Env;
use devloop_model::ImageNameError;
use devloop_model::MissingKey;
use devloop_model::Tag;
use devloop_model::Tagger;
use devloop_model::Template;
use devloop_model::TemplateError;
use devloop_model::Vars;
use devloop_model::format_go_time;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use git::GitAnswers;
pub(crate) use input_digest::Digests;

/// What a time tag looks like unless the configuration says otherwise.
const DEFAULT_TIME: &str = "2006-01-02_15-04-05.999_MST";

/// Why a tagger has no tag.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TagError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("the template `{template}` names a variable that is not set")]
    MissingVariable { template: String },
    #[error("`{zone}` is not a known time zone")]
    TimeZone { zone: String },
    #[error("there is no tagger called `{name}`; known are GIT, DATE, SHA, INPUT_DIGEST and those in `components`")]
    NoComponent { name: String },
    #[error("the component `{name}` is a customTemplate itself")]
    NestedTemplate { name: String },
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: std::io::Error },
    #[error(transparent)]
    NotATag(#[from] ImageNameError),
}

/// What taggers see of the world.
pub(crate) struct Tagging<'a> {
    pub(crate) env: &'a Env,
    pub(crate) now: Timestamp,
    /// The time zone of this machine. It is found by reading all of their names: only where a date is wanted.
    pub(crate) here: fn() -> TimeZone,
    pub(crate) git: &'a GitAnswers,
    pub(crate) digests: &'a Digests<'a>,
}

impl Tagging<'_> {
    /// Returns the tag of `artifact`, the one at `position` among all artifacts.
    ///
    /// # Errors
    /// When its tagger has none, or what it says is not a tag.
    pub(crate) fn tag(&self, artifact: &Artifact, position: usize) -> Result<Tag, TagError> {
        let text = self.text(artifact, position, &artifact.tagger)?;
        Ok(Tag::parse(if text.is_empty() { "latest" } else { &text })?)
    }

    fn text(&self, artifact: &Artifact, position: usize, tagger: &Tagger) -> Result<String, TagError> {
        match tagger {
            Tagger::Fixed(text) => Ok(text.clone()),
            Tagger::Sha256 => Ok("latest".to_owned()),
            Tagger::GitCommit { variant, prefix, ignore_changes } => self.git.tag(&artifact.context, *variant, prefix, *ignore_changes),
            Tagger::EnvTemplate(template) => self.env_template(artifact, template),
            Tagger::DateTime { format, timezone } => self.date(format.as_deref(), timezone.as_deref()),
            Tagger::InputDigest => self.digests.of(position),
            Tagger::CustomTemplate { template, components } => {
                custom::render(template, components, &mut |tagger| self.text(artifact, position, tagger))
            }
        }
    }

    fn env_template(&self, artifact: &Artifact, template: &Template) -> Result<String, TagError> {
        let vars = Vars::from_env(self.env).with("IMAGE_NAME", artifact.image.as_str());
        let text = template.render(&vars, MissingKey::NoValue)?;
        // A function such as `default` may have dealt with a missing variable, so it is looked for afterwards.
        if text.contains("<no value>") { Err(TagError::MissingVariable { template: template.source().to_owned() }) } else { Ok(text) }
    }

    fn date(&self, format: Option<&str>, zone: Option<&str>) -> Result<String, TagError> {
        let format = format.filter(|format| !format.is_empty()).unwrap_or(DEFAULT_TIME);
        let zone = match zone.filter(|zone| !zone.is_empty() && *zone != "Local") {
            Some(zone) => TimeZone::get(zone).map_err(|_| TagError::TimeZone { zone: zone.to_owned() })?,
            None => (self.here)(),
        };
        Ok(format_go_time(format, &self.now.to_zoned(zone)))
    }
}

#[cfg(test)]
mod tests;
