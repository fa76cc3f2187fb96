//! All artifacts at once: inputs, tags, and what the cache has.

use std::sync::Arc;

use devloop_clients::Clients;
use devloop_model::Artifact;
use devloop_model::BuiltImage;
use devloop_model::CacheOutcome;
use devloop_model::Cx;
use devloop_model::Diagnostic;
use devloop_model::EventKind;
use devloop_model::ImageName;
use devloop_model::ImageRef;
use devloop_model::Platform;
use devloop_model::RebuildCause;
use devloop_model::Tag;
use devloop_model::rewrite_default_repo;
use futures::StreamExt as _;
use futures::future::join_all;
use jiff::tz::TimeZone;
use rayon::prelude::*;

use crate::BuildError;
use crate::BuildOptions;
use crate::CacheKey;
use crate::Inputs;
use crate::builder;
use crate::cache::BuildCache;
use crate::cache::ingredients::Ingredients;
use crate::cache::lookup;
use crate::cache::lookup::Answer;
use crate::cache::lookup::Effects;
use crate::cache::lookup::Lookup;
use crate::graph;
use crate::hash_index::HashIndex;
use crate::inputs;
use crate::inputs::Gathered;
use crate::inputs::blocking;
use crate::platforms;
use crate::tag::Digests;
use crate::tag::GitAnswers;
use crate::tag::TagError;
use crate::tag::Tagging;

/// How many images are looked up at once: each is a connection to a registry, and more of them only wait for one another.
const ASKED_AT_ONCE: usize = 16;

/// An artifact that is ready to be built, or is built already.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The artifact.
    pub artifact: Arc<Artifact>,
    /// The name and tag that its image gets, after default-repo rewriting.
    pub reference: ImageRef,
    /// Its inputs.
    pub inputs: Inputs,
    /// What else goes into its image.
    pub ingredients: Arc<Ingredients>,
    /// Everything that goes into its image, as one hash.
    pub key: CacheKey,
    /// What has to be done.
    pub state: PreparedState,
}

impl Prepared {
    fn tell(&self, outcome: CacheOutcome, cx: &Cx) {
        let causes = match &self.state {
            PreparedState::ToBuild { causes } => causes.clone(),
            PreparedState::Cached(_) => Vec::new(),
        };
        cx.emit(EventKind::CacheChecked { artifact: self.artifact.image.clone(), outcome, causes, key: self.key.to_string() });
    }
}

/// What has to be done for a prepared artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreparedState {
    /// Nothing: the image is where it is needed.
    Cached(BuiltImage),
    /// The image has to be built.
    ToBuild {
        /// Why.
        causes: Vec<RebuildCause>,
    },
}

/// One image to build.
#[derive(Debug, Clone)]
pub struct BuildJob {
    /// What to build.
    pub prepared: Prepared,
    /// The images that it requires, each under its alias.
    pub required: Vec<(String, BuiltImage)>,
}

/// Returns every artifact with its inputs, its tag and what the cache has of it, in the order given.
///
/// # Errors
/// When inputs cannot be listed or read; a tagger that fails is a warning, the tag is then `latest`.
pub async fn prepare(artifacts: &[Arc<Artifact>], options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<Vec<Prepared>, BuildError> {
    run(artifacts, options, Effects::Deliver, clients, cx).await
}

/// An artifact with the name and tag that its image gets.
#[derive(Debug, Clone)]
pub struct Tagged {
    /// The artifact.
    pub artifact: Arc<Artifact>,
    /// The name and tag, after default-repo rewriting.
    pub reference: ImageRef,
}

/// Returns what the images of all artifacts would be called; neither a registry nor a daemon is asked, and nothing is written to one.
///
/// # Errors
/// When inputs cannot be listed or read; a tagger that fails is a warning, the tag is then `latest`.
pub async fn tag(artifacts: &[Arc<Artifact>], options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<Vec<Tagged>, BuildError> {
    let (_, references) = tagged(artifacts, options, clients, cx).await?;
    announce_tags(artifacts, &references, cx);
    Ok(artifacts.iter().zip(references).map(|(artifact, reference)| Tagged { artifact: Arc::clone(artifact), reference }).collect())
}

/// Returns the inputs of all artifacts, and what their images are called.
async fn tagged(
    artifacts: &[Arc<Artifact>],
    options: &BuildOptions,
    clients: &Clients,
    cx: &Cx,
) -> Result<(Vec<Gathered>, Vec<ImageRef>), BuildError> {
    let names = names(artifacts, options)?;
    cx.emit(EventKind::TaggingStarted);
    let cache_dir = options.cache_dir.clone();
    let index = Arc::new(blocking(move || HashIndex::open(&cache_dir)).await);
    let gathered = inputs::gather(&names, options, Arc::clone(&index), clients, cx).await?;
    let (gathered, tags) = tag_all(artifacts, options, gathered, index, cx).await?;
    Ok((gathered, names.into_iter().zip(tags).map(|((_, name), tag)| ImageRef { tag: Some(tag), ..name }).collect()))
}

fn announce_tags(artifacts: &[Arc<Artifact>], references: &[ImageRef], cx: &Cx) {
    for (artifact, reference) in artifacts.iter().zip(references) {
        cx.emit(EventKind::ImageTagged { artifact: artifact.image.clone(), reference: reference.clone() });
    }
}

/// Returns the image of `job`, built and delivered, and remembers it for the next session.
///
/// # Errors
/// When the build or the delivery fails.
pub async fn build(job: BuildJob, options: &BuildOptions, clients: &Clients, cx: &Cx) -> Result<BuiltImage, BuildError> {
    let image = Box::pin(builder::build(&job, options, clients, cx)).await?;
    let cache_dir = options.cache_dir.clone();
    let (prepared, identity) = (job.prepared, image.identity.clone());
    blocking(move || {
        // An input that changed during the build may or may not be in the image.
        if !inputs_are_the_same(&prepared.inputs, &HashIndex::open(&cache_dir)) {
            return;
        }
        let cache = BuildCache::new(&cache_dir);
        lookup::remember(&cache, prepared.key, &identity);
        remember_ingredients(&cache, &prepared);
    })
    .await;
    Ok(image)
}

fn remember_ingredients(cache: &BuildCache, prepared: &Prepared) {
    if let Err(error) = cache.record_ingredients(&prepared.artifact, &prepared.ingredients, &prepared.inputs) {
        tracing::debug!("cannot remember what went into {}: {error}", prepared.artifact.image);
    }
}

fn inputs_are_the_same(inputs: &Inputs, index: &HashIndex) -> bool {
    inputs.files.par_iter().with_min_len(256).all(|file| {
        let Some(stat) = inputs.absolute(file).symlink_metadata().ok().as_ref().and_then(inputs::walk::Stat::of) else { return false };
        index.hash(&inputs.context, &file.path, &stat).ok().flatten().is_some_and(|hashes| hashes.content == file.hash)
    })
}

pub(crate) async fn run(
    artifacts: &[Arc<Artifact>],
    options: &BuildOptions,
    effects: Effects,
    clients: &Clients,
    cx: &Cx,
) -> Result<Vec<Prepared>, BuildError> {
    let levels = graph::order(artifacts)?;
    // The daemon is asked while files are looked at.
    let daemon = async { Ok(platforms::of_daemon(artifacts, options, clients, cx).await) };
    let ((gathered, references), daemon) = tokio::try_join!(tagged(artifacts, options, clients, cx), daemon)?;
    announce_tags(artifacts, &references, cx);
    let known = Known { references: &references, gathered: &gathered, daemon: daemon.as_ref() };
    let ingredients = ingredients(artifacts, known, &levels, options, clients, cx).await?;
    let prepared =
        artifacts.iter().zip(references).zip(gathered).zip(ingredients).map(|(((artifact, reference), gathered), (ingredients, key))| {
            Prepared {
                artifact: Arc::clone(artifact),
                reference,
                inputs: gathered.inputs,
                ingredients: Arc::new(ingredients),
                key,
                state: PreparedState::ToBuild { causes: vec![RebuildCause::CacheOff] },
            }
        });
    let prepared: Vec<Prepared> = prepared.collect();
    if options.cache_artifacts {
        return look_up(prepared, options, effects, clients, cx).await;
    }
    for prepared in &prepared {
        prepared.tell(CacheOutcome::NotFound, cx);
    }
    Ok(prepared)
}

fn names(artifacts: &[Arc<Artifact>], options: &BuildOptions) -> Result<Vec<(Arc<Artifact>, ImageRef)>, BuildError> {
    let name = |artifact: &Arc<Artifact>| {
        let name = rewrite_default_repo(&artifact.image, options.target.default_repo.as_deref(), options.target.multi_level_repo).map_err(
            |error| {
                Diagnostic::error("build/default-repo", format!("the default repository makes no valid name of `{}`", artifact.image))
                    .because(error.to_string())
                    .help("check `--default-repo`")
            },
        )?;
        Ok((Arc::clone(artifact), ImageRef { name, tag: None, digest: None }))
    };
    artifacts.iter().map(name).collect()
}

/// Makes all tags, and writes what was learned of files on the way.
async fn tag_all(
    artifacts: &[Arc<Artifact>],
    options: &BuildOptions,
    gathered: Vec<Gathered>,
    index: Arc<HashIndex>,
    cx: &Cx,
) -> Result<(Vec<Gathered>, Vec<Tag>), BuildError> {
    let fixed = options
        .tag
        .as_deref()
        .map(Tag::parse)
        .transpose()
        .map_err(|error| Diagnostic::error("build/bad-tag", error.to_string()).help("correct `--tag`"))?;
    let (artifacts, working_dir, now, env) = (artifacts.to_vec(), options.working_dir.clone(), options.now, cx.env.clone());
    let (gathered, tags) = blocking(move || {
        let tags: Vec<Result<Tag, (ImageName, TagError)>> = {
            let (git, digests) = (
                GitAnswers::of(&artifacts),
                Digests { artifacts: &artifacts, gathered: &gathered, working_dir: &working_dir, index: &index },
            );
            let tagging = Tagging { env: &env, now, here: TimeZone::system, git: &git, digests: &digests };
            let tag = |(at, artifact): (usize, &Arc<Artifact>)| match &fixed {
                Some(tag) => Ok(tag.clone()),
                None => tagging.tag(artifact, at).map_err(|error| (artifact.image.clone(), error)),
            };
            artifacts.par_iter().enumerate().map(tag).collect()
        };
        if let Err(error) = index.save() {
            tracing::debug!("cannot write the hash index: {error}");
        }
        (gathered, tags)
    })
    .await;
    let latest = Tag::parse("latest").expect("it is one");
    let told = tags.into_iter().map(|tag| {
        tag.unwrap_or_else(|(image, error)| {
            cx.warn(
                Diagnostic::warning("build/no-tag", format!("`{image}` is tagged `latest`, as its tagger has no tag")).because_of(&error),
            );
            latest.clone()
        })
    });
    Ok((gathered, told.collect()))
}

/// What is known of all artifacts once they are tagged.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    references: &'a [ImageRef],
    gathered: &'a [Gathered],
    /// What the container daemon builds for.
    daemon: Option<&'a Platform>,
}

/// Returns what goes into each image and the key of it all; what is required comes first.
async fn ingredients(
    artifacts: &[Arc<Artifact>],
    known: Known<'_>,
    levels: &[Vec<usize>],
    options: &BuildOptions,
    clients: &Clients,
    cx: &Cx,
) -> Result<Vec<(Ingredients, CacheKey)>, BuildError> {
    let Known { references, gathered, daemon } = known;
    let mut done: Vec<Option<(Ingredients, CacheKey)>> = vec![None; artifacts.len()];
    let bases = join_all(gathered.iter().map(|gathered| newest_bases(gathered, clients, cx))).await;
    for &at in levels.iter().flatten() {
        let own = Ingredients::of(&artifacts[at], &references[at], gathered[at].dockerfile.as_deref(), options, daemon, cx);
        let mut own = own.map_err(|error| error.in_artifact(&artifacts[at]))?;
        for requirement in &artifacts[at].requires {
            let required =
                artifacts.iter().position(|artifact| artifact.image == requirement.image).and_then(|required| done[required].as_ref());
            if let Some((_, key)) = required {
                own.require(requirement.image.as_str(), *key);
            }
        }
        for (image, digest) in &bases[at] {
            own.base(image, digest);
        }
        let key = own.key(&gathered[at].inputs);
        done[at] = Some((own, key));
    }
    Ok(done.into_iter().flatten().collect())
}

/// Bases count where the build pulls them; one that cannot be asked about is the builder's to tell.
async fn newest_bases(gathered: &Gathered, clients: &Clients, cx: &Cx) -> Vec<(String, String)> {
    let ask = |base: &String| {
        let base = base.clone();
        async move {
            let reference = ImageRef::parse(&base).ok()?;
            let digest = clients.registry().digest(&reference, cx).await.ok()??;
            Some((base, digest.to_string()))
        }
    };
    join_all(gathered.pulled_bases.iter().map(ask)).await.into_iter().flatten().collect()
}

async fn look_up(
    prepared: Vec<Prepared>,
    options: &BuildOptions,
    effects: Effects,
    clients: &Clients,
    cx: &Cx,
) -> Result<Vec<Prepared>, BuildError> {
    cx.emit(EventKind::CacheCheckStarted);
    let cache = BuildCache::new(&options.cache_dir);
    let ask = |mut prepared: Prepared| {
        let cache = &cache;
        async move {
            let Prepared { artifact, reference, key, .. } = &prepared;
            let answer = if options.fresh.contains(&artifact.image) {
                None
            } else {
                Some(Lookup { artifact, reference, key: *key, options, effects, clients, cx }.ask(cache).await?)
            };
            let (outcome, state) = match answer {
                None => (CacheOutcome::NotFound, PreparedState::ToBuild { causes: vec![RebuildCause::Asked] }),
                Some(Answer::Found(outcome, image)) => {
                    if effects == Effects::Deliver && outcome == CacheOutcome::FoundTagging {
                        // It is not what was used last: from here on, reasons are counted from it.
                        remember_ingredients(cache, &prepared);
                    }
                    (outcome, PreparedState::Cached(image))
                }
                Some(Answer::NotFound { gone_from }) => {
                    let differences = cache.causes(artifact, &prepared.ingredients, &prepared.inputs);
                    (CacheOutcome::NotFound, PreparedState::ToBuild { causes: lookup::causes(differences, gone_from) })
                }
            };
            prepared.state = state;
            Ok((outcome, prepared))
        }
    };
    let questions: Vec<_> = prepared.into_iter().map(ask).collect();
    let answers = futures::stream::iter(questions).buffered(ASKED_AT_ONCE).collect();
    let answers: Vec<Result<(CacheOutcome, Prepared), BuildError>> = cx.unless_cancelled(answers).await?;
    let mut all = Vec::with_capacity(answers.len());
    for answer in answers {
        let (outcome, prepared) = answer?;
        prepared.tell(outcome, cx);
        all.push(prepared);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
