//! Containers: images, bundles, supervisors, logs.
