//! The control API as its clients meet it: over the real Unix socket and TCP, with an agent that is a puppet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/child.rs"]
mod child;
#[path = "control_api/http.rs"]
mod http;
#[path = "control_api/puppet.rs"]
mod puppet;

#[path = "control_api/admission.rs"]
mod admission;
#[path = "control_api/bounds.rs"]
mod bounds;
#[path = "control_api/ctl.rs"]
mod ctl;
#[path = "control_api/description.rs"]
mod description;
#[path = "control_api/events.rs"]
mod events;
#[path = "control_api/fuzz.rs"]
mod fuzz;
#[path = "control_api/metrics.rs"]
mod metrics;
#[path = "control_api/routes.rs"]
mod routes;
