//! The ground: clock, chance, files, pump, shutdown.
