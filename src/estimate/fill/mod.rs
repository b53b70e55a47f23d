//! How full a container is, what happened to it, and when it will be full (DOMAIN §1.2–1.4).
//!
//! [`Fill`] is the state of one container and the way in: start at `container.rs`. Below it, `level` turns distances
//! into fill levels, `cycle` finds the events, `demand` learns how fast it fills, `forecast` computes from what
//! was learned. `deposits` is the other form of the forecast, for containers that count how often they are opened.

pub mod container;
pub mod cycle;
pub mod demand;
pub mod deposits;
pub mod forecast;
pub mod level;
pub mod settings;

pub use container::{Around, Fill, Outcome};
pub use cycle::{FillEvent, FillFact};
pub use demand::{Cluster, Day, Prior};
pub use forecast::{Horizon, Interval, Quartile};
pub use level::{Scale, VolumeTable};
pub use settings::Settings;
