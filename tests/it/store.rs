//! The shared store over its public interface, against a real `redis-server` each.

mod contract;
mod running;
