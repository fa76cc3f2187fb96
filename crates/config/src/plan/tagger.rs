//! Tag policies.

use devloop_model::GitVariant;
use devloop_model::Tagger;
use devloop_model::nearest;

use super::convert::Converter;
use super::convert::set;
use crate::schema::CustomTemplateTagger;
use crate::schema::DateTimeTagger;
use crate::schema::GitTagger;
use crate::schema::TagPolicy;
use crate::schema::TaggerComponent;
use crate::schema::words::GIT_VARIANTS;

const POLICY: &str = "/build/tagPolicy";

impl Converter<'_> {
    /// Returns the tag policy of the module.
    pub(super) fn tagger(&mut self) -> Tagger {
        let module = self.module;
        let policy = &module.config.build.tag_policy;
        match &policy.custom_template {
            Some(custom) => self.custom_template(custom),
            None => self.simple(POLICY, policy).unwrap_or_else(|| git_default(&GitTagger::default())),
        }
    }

    /// Returns a policy that is not made of others, if one is set.
    fn simple(&mut self, pointer: &str, policy: &TagPolicy) -> Option<Tagger> {
        if let Some(git) = &policy.git_commit {
            return Some(self.git(&format!("{pointer}/gitCommit"), git));
        }
        if let Some(template) = &policy.env_template {
            return Some(Tagger::EnvTemplate(self.template(&format!("{pointer}/envTemplate/template"), &template.template)));
        }
        if let Some(DateTimeTagger { format, timezone }) = &policy.date_time {
            return Some(Tagger::DateTime { format: set(format), timezone: set(timezone) });
        }
        if policy.sha256.is_some() {
            return Some(Tagger::Sha256);
        }
        policy.input_digest.is_some().then_some(Tagger::InputDigest)
    }

    fn git(&mut self, pointer: &str, git: &GitTagger) -> Tagger {
        const VARIANTS: [GitVariant; 6] = [
            GitVariant::Tags,
            GitVariant::CommitSha,
            GitVariant::AbbrevCommitSha,
            GitVariant::TreeSha,
            GitVariant::AbbrevTreeSha,
            GitVariant::Branches,
        ];
        if git.variant.is_empty() {
            return git_default(git);
        }
        let named = GIT_VARIANTS.iter().zip(VARIANTS).find(|(name, _)| name.eq_ignore_ascii_case(&git.variant));
        if let Some((_, variant)) = named {
            return Tagger::GitCommit { variant, prefix: git.prefix.clone(), ignore_changes: git.ignore_changes };
        }
        let pointer = format!("{pointer}/variant");
        let what = format!("there is no variant `{}` of the tag policy `gitCommit`", git.variant);
        let mut fault = self.module.error("config/unknown-value", &pointer, what);
        fault.at = Some(self.module.span(&pointer).location(format!("expected one of: {}", GIT_VARIANTS.join(", "))));
        self.faults.push(match nearest(&git.variant, &GIT_VARIANTS) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault,
        });
        git_default(git)
    }

    fn custom_template(&mut self, custom: &CustomTemplateTagger) -> Tagger {
        let pointer = format!("{POLICY}/customTemplate");
        let template = self.template(&format!("{pointer}/template"), &custom.template);
        let mut components = Vec::new();
        for (index, component) in custom.components.iter().enumerate() {
            let pointer = format!("{pointer}/components/{index}");
            if let Some(tagger) = self.component(&pointer, component) {
                components.push((component.name.clone(), tagger));
            }
        }
        Tagger::CustomTemplate { template, components }
    }

    fn component(&mut self, pointer: &str, component: &TaggerComponent) -> Option<Tagger> {
        let name = &component.name;
        if component.custom_template.is_some() {
            let what = format!("component `{name}` of `customTemplate` cannot be a `customTemplate` itself");
            let fault = self.module.key_span(&format!("{pointer}/customTemplate")).error("config/nested-template", what);
            self.faults.push(fault);
            return None;
        }
        let component = component.clone();
        let policy = TagPolicy {
            git_commit: component.git_commit,
            sha256: component.sha256,
            env_template: component.env_template,
            date_time: component.date_time,
            custom_template: None,
            input_digest: component.input_digest,
        };
        let tagger = self.simple(pointer, &policy);
        if tagger.is_none() {
            let what = format!("component `{name}` of `customTemplate` names no tag policy");
            let fault = self.module.error("config/missing-field", pointer, what);
            self.faults.push(fault.help("add one of: gitCommit, sha256, envTemplate, dateTime, inputDigest"));
        }
        tagger
    }
}

fn git_default(git: &GitTagger) -> Tagger {
    Tagger::GitCommit { variant: GitVariant::Tags, prefix: git.prefix.clone(), ignore_changes: git.ignore_changes }
}
