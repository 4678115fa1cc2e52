//! A gateway in process or as the real binary, a client that speaks both eras, and what looks at the answers.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod collector;
pub(crate) mod door;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod forge;
pub(crate) mod in_process;
pub(crate) mod message;
pub(crate) mod page;
pub(crate) mod patience;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod raw;
pub(crate) mod replicas;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod world;

pub(crate) use answer::Answer;
pub(crate) use files::GatewayOptions;
pub(crate) use in_process::{SpawnedGateway, spawn_gateway};
pub(crate) use message::{Era, Message};
pub(crate) use patience::eventually;
pub(crate) use session::Session;
pub(crate) use world::World;
