//! Whether there is something to render, before anything is done for it.

use devloop_model::RenderSpec;
use devloop_model::Vars;

use super::raw;
use crate::RenderError;

/// Succeeds where every file of manifests that `modules` name is there, so that nothing is built for a deploy that cannot be. What commands
/// before rendering may make is not looked for.
///
/// # Errors
/// Names the first that is missing.
pub fn are_there<'m>(modules: impl IntoIterator<Item = &'m RenderSpec>, vars: &Vars) -> Result<(), RenderError> {
    modules.into_iter().filter(|module| module.hooks.before.is_empty()).try_for_each(|module| raw::is_there(module, vars))
}
