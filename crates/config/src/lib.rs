//! skaffold.yaml text to a fully resolved plan: versions, modules, profiles, templates, defaults, checks.
