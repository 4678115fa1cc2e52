//! The shared store over its public interface, against a real `redis-server` each; what a real one never says, against a fake.

mod acl;
mod contract;
mod endpoint;
mod fake;
mod full;
mod guard;
mod hostile;
mod listening;
mod outage;
mod running;
mod tls;
mod topologies;
mod under_load;
mod wire;
