//! Registry client against a registry in this process.
