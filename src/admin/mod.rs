//! What an operator and a load balancer ask of the process itself: metrics and health over HTTP.

mod http;

pub use http::{HttpServer, Ready};
