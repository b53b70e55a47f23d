//! Easting and northing in ETRS89 / UTM zone 32N (EPSG:25832) ↔ latitude and longitude.
//!
//! The transverse Mercator projection by Krüger's series in the third flattening n, to the fourth order, which is
//! good to less than a micrometre here: C. F. F. Karney, *Transverse Mercator with an accuracy of a few nanometers*,
//! J. Geodesy 85 (2011), equations 35 and 36 (after L. Krüger, 1912). ETRS89 stands for WGS 84: they differ by the
//! drift of the European plate, less than a metre.

use crate::domain::asset::Position;
use libm::{atan, atan2, atanh, cos, cosh, sin, sinh, sqrt};

/// A transverse Mercator projection: an ellipsoid and where its grid lies.
struct Projection {
    /// Equatorial radius, metres.
    radius: f64,
    flattening: f64,
    scale: f64,
    /// Degrees.
    central_meridian: f64,
    false_easting: f64,
    false_northing: f64,
}

const UTM_32N: Projection = Projection {
    radius: 6_378_137.0,
    flattening: 1.0 / 298.257_222_101,
    scale: 0.9996,
    central_meridian: 9.0,
    false_easting: 500_000.0,
    false_northing: 0.0,
};

/// Degrees are kept to the millimetre, so that the same row gives the same position on every machine and in print.
const DEGREE_STEPS: f64 = 1e8;

pub(super) fn position(easting: f64, northing: f64) -> Position {
    let (latitude, longitude) = UTM_32N.inverse(easting, northing);
    let round = |degrees: f64| libm::round(degrees * DEGREE_STEPS) / DEGREE_STEPS;
    Position { latitude: round(latitude), longitude: round(longitude) }
}

impl Projection {
    fn third_flattening(&self) -> f64 {
        self.flattening / (2.0 - self.flattening)
    }

    /// Radius of the sphere whose meridians are as long as the ellipsoid's.
    fn rectifying_radius(&self) -> f64 {
        let n = self.third_flattening();
        self.radius / (1.0 + n) * (1.0 + n * n / 4.0 + n * n * n * n / 64.0)
    }

    /// Latitude and longitude in degrees.
    fn inverse(&self, easting: f64, northing: f64) -> (f64, f64) {
        let n = self.third_flattening();
        let (n2, n3, n4) = (n * n, n * n * n, n * n * n * n);
        let beta = [
            n / 2.0 - 2.0 / 3.0 * n2 + 37.0 / 96.0 * n3 - n4 / 360.0,
            n2 / 48.0 + n3 / 15.0 - 437.0 / 1440.0 * n4,
            17.0 / 480.0 * n3 - 37.0 / 840.0 * n4,
            4397.0 / 161_280.0 * n4,
        ];
        let unit = self.scale * self.rectifying_radius();
        let (xi, eta) = ((northing - self.false_northing) / unit, (easting - self.false_easting) / unit);
        let (mut xi_sphere, mut eta_sphere) = (xi, eta);
        for (step, beta) in (1..).zip(beta) {
            let double = 2.0 * f64::from(step);
            xi_sphere -= beta * sin(double * xi) * cosh(double * eta);
            eta_sphere -= beta * cos(double * xi) * sinh(double * eta);
        }
        let tau = sin(xi_sphere) / hypotenuse(sinh(eta_sphere), cos(xi_sphere));
        let longitude = atan2(sinh(eta_sphere), cos(xi_sphere)).to_degrees() + self.central_meridian;
        (atan(self.geographic(tau)).to_degrees(), longitude)
    }

    /// Tangent of the latitude whose conformal latitude has the tangent `conformal`, by Newton's method.
    fn geographic(&self, conformal: f64) -> f64 {
        let squared = self.flattening * (2.0 - self.flattening);
        let mut tau = conformal / (1.0 - squared);
        // Quadratic convergence: three steps reach the last bit, five are safe.
        for _ in 0..5 {
            let root = sqrt(1.0 + tau * tau);
            let error = conformal - self.conformal(tau);
            let root_conformal = sqrt(1.0 + self.conformal(tau) * self.conformal(tau));
            tau += error / root_conformal * (1.0 + (1.0 - squared) * tau * tau) / ((1.0 - squared) * root);
        }
        tau
    }

    /// Tangent of the conformal latitude.
    fn conformal(&self, tau: f64) -> f64 {
        let eccentricity = sqrt(self.flattening * (2.0 - self.flattening));
        let sigma = sinh(eccentricity * atanh(eccentricity * tau / sqrt(1.0 + tau * tau)));
        tau * sqrt(1.0 + sigma * sigma) - sigma * sqrt(1.0 + tau * tau)
    }

    /// Easting and northing in metres; the other way, to test by.
    #[cfg(test)]
    fn forward(&self, latitude: f64, longitude: f64) -> (f64, f64) {
        let n = self.third_flattening();
        let (n2, n3, n4) = (n * n, n * n * n, n * n * n * n);
        let alpha = [
            n / 2.0 - 2.0 / 3.0 * n2 + 5.0 / 16.0 * n3 + 41.0 / 180.0 * n4,
            13.0 / 48.0 * n2 - 3.0 / 5.0 * n3 + 557.0 / 1440.0 * n4,
            61.0 / 240.0 * n3 - 103.0 / 140.0 * n4,
            49561.0 / 161_280.0 * n4,
        ];
        let east = (longitude - self.central_meridian).to_radians();
        let tau = self.conformal(libm::tan(latitude.to_radians()));
        let (xi_sphere, eta_sphere) = (atan2(tau, cos(east)), libm::asinh(sin(east) / hypotenuse(tau, cos(east))));
        let (mut xi, mut eta) = (xi_sphere, eta_sphere);
        for (step, alpha) in (1..).zip(alpha) {
            let double = 2.0 * f64::from(step);
            xi += alpha * sin(double * xi_sphere) * cosh(double * eta_sphere);
            eta += alpha * cos(double * xi_sphere) * sinh(double * eta_sphere);
        }
        let unit = self.scale * self.rectifying_radius();
        (self.false_easting + unit * eta, self.false_northing + unit * xi)
    }
}

fn hypotenuse(a: f64, b: f64) -> f64 {
    sqrt(a * a + b * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: (f64, f64), expected: (f64, f64), tolerance: f64) {
        let off = hypotenuse(found.0 - expected.0, found.1 - expected.1);
        assert!(off <= tolerance, "{found:?} is {off} from {expected:?}");
    }

    /// The example in PROJ's own documentation (`gie`: `proj=utm zone=32 ellps=GRS80`).
    #[test]
    fn proj_agrees_to_a_tenth_of_a_millimetre() {
        for ((latitude, longitude), grid) in
            [((55.0, 12.0), (691_875.632_14, 6_098_907.825_01)), ((56.0, 12.0), (687_071.439_1, 6_210_141.326_7))]
        {
            close(UTM_32N.forward(latitude, longitude), grid, 1e-4);
            close(UTM_32N.inverse(grid.0, grid.1), (latitude, longitude), 1e-9);
            assert_eq!(position(grid.0, grid.1), Position { latitude, longitude });
        }
    }

    /// The worked example of IOGP Guidance Note 7-2 for EPSG method 9807, on another ellipsoid, given to the
    /// centimetre. Its false northing counts from latitude 49°, ours from the equator.
    #[test]
    fn iogp_agrees_to_a_centimetre() {
        let mut grid = Projection {
            radius: 6_377_563.396,
            flattening: 1.0 / 299.324_96,
            scale: 0.999_601_271_7,
            central_meridian: -2.0,
            false_easting: 400_000.0,
            false_northing: 0.0,
        };
        grid.false_northing = -100_000.0 - grid.forward(49.0, -2.0).1;
        close(grid.forward(50.5, 0.5), (577_274.99, 69_740.50), 0.011);
        close(grid.inverse(577_274.99, 69_740.50), (50.5, 0.5), 2e-7);
    }

    #[test]
    fn there_and_back_again_over_denmark() {
        for latitude in [54.5, 55.7, 57.8] {
            for longitude in [8.0, 9.0, 10.2, 12.6, 15.2] {
                let (easting, northing) = UTM_32N.forward(latitude, longitude);
                close(UTM_32N.inverse(easting, northing), (latitude, longitude), 1e-11);
            }
        }
    }
}
