//! Built images and manifest sources to a manifest set: raw YAML; image, label and namespace transforms.
