//! A mat's frame of up to 2,048 cells becomes one pressure per body zone (DOMAIN §2.5, §2.6).
//!
//! Stateless: the same frame gives the same zones, and the frame is gone afterwards. A zone's value is the mean of its
//! hottest 3×3 cells, after isolated cells that cannot be skin have been replaced by their neighbours' median. The work
//! does not depend on the content. Geometry is checked once, when a [`Layout`] is made.

pub const CELLS_MAX: usize = 2_048;
pub const SIDE_MAX: usize = 128;
pub const ZONES_MAX: usize = 16;
/// Cells of a frame with one more around it, for the longest sides whose product fits: 128 × 16.
const PADDED_MAX: usize = (SIDE_MAX + 2) * (CELLS_MAX / SIDE_MAX + 2);
/// Whether a cell is asked at all: a bit per cell, row by row.
pub const MASK_WORDS: usize = CELLS_MAX / 64;

/// A rectangle of cells; rows run from head to foot, columns across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub row: u8,
    pub column: u8,
    pub rows: u8,
    pub columns: u8,
}

/// Where the zones lie on a mat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    columns: usize,
    rows: usize,
    zones: [Area; ZONES_MAX],
    count: usize,
    /// A cell that differs by less than this from its neighbours is never isolated; in the frame's numbers.
    noise: i16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutFault {
    #[error("a mat of {columns} by {rows} cells: at least 3 by 3, at most {SIDE_MAX} a side and {CELLS_MAX} in all")]
    Size { columns: usize, rows: usize },
    #[error("{0} zones: at least one, at most {ZONES_MAX}")]
    Zones(usize),
    #[error("zone {0} is smaller than 3 by 3 cells or lies outside the mat")]
    Outside(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {found} cells on a mat of {expected}")]
pub struct FrameFault {
    pub found: usize,
    pub expected: usize,
}

/// What a frame says. Numbers are the frame's own, times nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zones {
    /// Mean of the hottest 3×3 cells of each zone, in the layout's order; 0 beyond `count`.
    pub peaks: [f32; ZONES_MAX],
    pub count: usize,
    /// Sum of all cells, replaced ones as replaced.
    pub load: u32,
    /// Isolated or masked cells that were replaced.
    pub replaced: u16,
    /// First and last row that bears load, where the body lies; none on an empty mat.
    pub body: Option<(u8, u8)>,
}

impl Layout {
    /// # Errors
    /// The first thing that is wrong with the geometry.
    pub fn new(columns: usize, rows: usize, noise: u16, zones: &[Area]) -> Result<Self, LayoutFault> {
        let sides = 3..=SIDE_MAX;
        if !sides.contains(&columns) || !sides.contains(&rows) || columns * rows > CELLS_MAX {
            return Err(LayoutFault::Size { columns, rows });
        }
        if zones.is_empty() || zones.len() > ZONES_MAX {
            return Err(LayoutFault::Zones(zones.len()));
        }
        for (at, zone) in zones.iter().enumerate() {
            let inside = usize::from(zone.row) + usize::from(zone.rows) <= rows
                && usize::from(zone.column) + usize::from(zone.columns) <= columns;
            if !inside || zone.rows < 3 || zone.columns < 3 {
                return Err(LayoutFault::Outside(at));
            }
        }
        let mut kept = [Area { row: 0, column: 0, rows: 3, columns: 3 }; ZONES_MAX];
        kept[..zones.len()].copy_from_slice(zones);
        Ok(Self { columns, rows, zones: kept, count: zones.len(), noise: noise.min(i16::MAX as u16) as i16 })
    }

    /// Zones along a body that lies between two rows, head first, by the fractions of DOMAIN §2.6: head, left and right
    /// shoulder, left and right elbow, left hip, sacrum, right hip, knees, heels. Left is the lower columns.
    ///
    /// # Errors
    /// When the mat is so coarse, or the body so short, that a zone would have fewer than 3 rows or columns.
    pub fn lying(columns: usize, rows: usize, noise: u16, (head, foot): (u8, u8)) -> Result<Self, LayoutFault> {
        const ALONG: [(f64, f64, f64, f64); 10] = [
            (0.00, 0.12, 0.0, 1.0),
            (0.14, 0.28, 0.0, 0.5),
            (0.14, 0.28, 0.5, 1.0),
            (0.40, 0.46, 0.0, 0.5),
            (0.40, 0.46, 0.5, 1.0),
            (0.50, 0.60, 0.0, 0.35),
            (0.48, 0.60, 0.30, 0.70),
            (0.50, 0.60, 0.65, 1.0),
            (0.70, 0.78, 0.0, 1.0),
            (0.92, 1.00, 0.0, 1.0),
        ];
        let length = f64::from(foot) - f64::from(head) + 1.0;
        let mut zones = [Area { row: 0, column: 0, rows: 0, columns: 0 }; ALONG.len()];
        for (zone, (top, bottom, left, right)) in zones.iter_mut().zip(ALONG) {
            let row = libm::round(f64::from(head) + top * length);
            let column = libm::round(left * columns as f64);
            let end = libm::round(f64::from(head) + bottom * length).max(row + 3.0).min(rows as f64);
            let side = libm::round(right * columns as f64);
            *zone =
                Area { row: row as u8, column: column as u8, rows: (end - row) as u8, columns: (side - column) as u8 };
        }
        Self::new(columns, rows, noise, &zones)
    }

    /// Cells of a frame.
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.columns * self.rows
    }

    /// Reduces a frame, row by row from the head. Numbers above 32,767 count as 32,767. `dead` has a bit for each cell
    /// that is known not to work; none if all work.
    ///
    /// # Errors
    /// A frame of another size.
    pub fn reduce(&self, frame: &[u16], dead: Option<&[u64; MASK_WORDS]>) -> Result<Zones, FrameFault> {
        if frame.len() != self.cells() {
            return Err(FrameFault { found: frame.len(), expected: self.cells() });
        }
        let width = self.columns + 2;
        let mut cells = [0_i16; PADDED_MAX];
        self.pad(frame, &mut cells);
        let mut clean = [0_i16; CELLS_MAX];
        let mut zones = Zones { peaks: [0.0; ZONES_MAX], count: self.count, load: 0, replaced: 0, body: None };
        for row in 0..self.rows {
            let out = &mut clean[row * self.columns..(row + 1) * self.columns];
            zones.replaced += clean_row(&cells[row * width..(row + 3) * width], out, self.noise);
            if let Some(dead) = dead {
                zones.replaced += self.replace_dead((row, dead), &cells[row * width..(row + 3) * width], out);
            }
            let load: i32 = out.iter().map(|cell| i32::from(*cell)).sum();
            zones.load = zones.load.saturating_add(load as u32);
            if load > i32::from(self.noise.max(1)) * self.columns as i32 / 8 {
                let first = zones.body.map_or(row as u8, |(first, _)| first);
                zones.body = Some((first, row as u8));
            }
        }
        let mut sums = [0_i32; CELLS_MAX];
        self.sum_threes(&clean, &mut sums);
        for (peak, zone) in zones.peaks.iter_mut().zip(&self.zones[..self.count]) {
            *peak = self.hottest(&sums, *zone) as f32 / 9.0;
        }
        Ok(zones)
    }

    /// The frame with its border repeated once around it.
    fn pad(&self, frame: &[u16], cells: &mut [i16; PADDED_MAX]) {
        let width = self.columns + 2;
        for row in 0..self.rows + 2 {
            let from = row.clamp(1, self.rows) - 1;
            let source = &frame[from * self.columns..(from + 1) * self.columns];
            let target = &mut cells[row * width..(row + 1) * width];
            for (cell, number) in target[1..=self.columns].iter_mut().zip(source) {
                *cell = (*number).min(i16::MAX as u16) as i16;
            }
            target[0] = target[1];
            target[width - 1] = target[width - 2];
        }
    }

    fn replace_dead(&self, (row, dead): (usize, &[u64; MASK_WORDS]), cells: &[i16], out: &mut [i16]) -> u16 {
        let mut replaced = 0;
        for (column, cell) in out.iter_mut().enumerate() {
            let at = row * self.columns + column;
            if dead[at / 64] >> (at % 64) & 1 == 1 {
                let mut around = neighbours(cells, self.columns + 2, column);
                sort(&mut around);
                *cell = i16::midpoint(around[3], around[4]);
                replaced += 1;
            }
        }
        replaced
    }

    /// At each cell the sum of the 3×3 that begins there.
    fn sum_threes(&self, clean: &[i16; CELLS_MAX], sums: &mut [i32; CELLS_MAX]) {
        let columns = self.columns;
        let row = |at: usize| &clean[at * columns..(at + 1) * columns];
        for at in 0..self.rows - 2 {
            let mut down = [0_i32; SIDE_MAX];
            for (((sum, a), b), c) in down.iter_mut().zip(row(at)).zip(row(at + 1)).zip(row(at + 2)) {
                *sum = i32::from(*a) + i32::from(*b) + i32::from(*c);
            }
            let out = &mut sums[at * columns..at * columns + columns - 2];
            for (column, sum) in out.iter_mut().enumerate() {
                *sum = down[column] + down[column + 1] + down[column + 2];
            }
        }
    }

    fn hottest(&self, sums: &[i32; CELLS_MAX], zone: Area) -> i32 {
        let (left, width) = (usize::from(zone.column), usize::from(zone.columns) - 2);
        let mut hottest = 0;
        for row in usize::from(zone.row)..usize::from(zone.row + zone.rows) - 2 {
            let from = row * self.columns + left;
            hottest = sums[from..from + width].iter().fold(hottest, |most, sum| most.max(*sum));
        }
        hottest
    }
}

/// Columns that are cleaned side by side, so that the compiler does them at once.
const LANES: usize = 16;

/// One row without its isolated cells: three padded rows in, one out; gives how many were replaced.
fn clean_row(cells: &[i16], out: &mut [i16], noise: i16) -> u16 {
    let width = out.len() + 2;
    let mut replaced = 0;
    let mut from = 0;
    while from < out.len() {
        // The last stretch goes over some cells again when a row is no multiple of the lanes.
        let start = if out.len() < LANES { 0 } else { from.min(out.len() - LANES) };
        let lanes = LANES.min(out.len());
        let mut around = [[0_i16; LANES]; 8];
        let mut centre = [0_i16; LANES];
        let stretch =
            |row: usize, shift: usize| &cells[row * width + start + shift..row * width + start + shift + lanes];
        centre[..lanes].copy_from_slice(stretch(1, 1));
        for (lane, (row, shift)) in around.iter_mut().zip(AROUND) {
            lane[..lanes].copy_from_slice(stretch(row, shift));
        }
        let (median, isolated) = judge(&centre, &mut around, noise);
        let again = from - start;
        for lane in again..lanes {
            out[start + lane] = if isolated[lane] { median[lane] } else { centre[lane] };
            replaced += u16::from(isolated[lane]);
        }
        from = start + lanes;
    }
    replaced
}

const AROUND: [(usize, usize); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)];

/// The neighbours' median, and whether a cell is more than four of their median deviations from it and apart from each
/// of them: a peak of two cells is a heel and stays.
fn judge(centre: &[i16; LANES], around: &mut [[i16; LANES]; 8], noise: i16) -> ([i16; LANES], [bool; LANES]) {
    sort_lanes(around);
    let (lowest, highest) = (around[0], around[7]);
    let mut median = [0_i16; LANES];
    for lane in 0..LANES {
        median[lane] = around[3][lane] + (around[4][lane] - around[3][lane]) / 2;
    }
    for row in around.iter_mut() {
        for lane in 0..LANES {
            row[lane] = (row[lane] - median[lane]).abs();
        }
    }
    sort_lanes(around);
    let mut isolated = [false; LANES];
    for lane in 0..LANES {
        let deviation = around[3][lane] + (around[4][lane] - around[3][lane]) / 2;
        let far = (centre[lane] - median[lane]).abs() > deviation.max(noise).saturating_mul(4);
        let apart = (centre[lane] - highest[lane]).max(lowest[lane] - centre[lane]) > noise;
        isolated[lane] = far && apart;
    }
    (median, isolated)
}

/// Batcher's network for eight.
const NETWORK: [(usize, usize); 19] = [
    (0, 1),
    (2, 3),
    (4, 5),
    (6, 7),
    (0, 2),
    (1, 3),
    (4, 6),
    (5, 7),
    (1, 2),
    (5, 6),
    (0, 4),
    (1, 5),
    (2, 6),
    (3, 7),
    (2, 4),
    (3, 5),
    (1, 2),
    (3, 4),
    (5, 6),
];

fn sort_lanes(rows: &mut [[i16; LANES]; 8]) {
    for (low, high) in NETWORK {
        let (a, b) = (rows[low], rows[high]);
        for lane in 0..LANES {
            rows[low][lane] = a[lane].min(b[lane]);
            rows[high][lane] = a[lane].max(b[lane]);
        }
    }
}

fn sort(around: &mut [i16; 8]) {
    for (low, high) in NETWORK {
        (around[low], around[high]) = (around[low].min(around[high]), around[low].max(around[high]));
    }
}

fn neighbours(cells: &[i16], width: usize, column: usize) -> [i16; 8] {
    AROUND.map(|(row, shift)| cells[row * width + column + shift])
}
