//! What should happen: the swarm's deciders.
