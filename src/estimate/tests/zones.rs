//! Frames to zones: geometry, bounds, isolated cells.

use crate::estimate::zones::{Area, Layout, LayoutFault, MASK_WORDS};
use proptest::prelude::*;

const COLUMNS: usize = 32;
const ROWS: usize = 64;
const WHOLE: Area = Area { row: 0, column: 0, rows: 64, columns: 32 };

fn layout(zones: &[Area]) -> Layout {
    Layout::new(COLUMNS, ROWS, 10, zones).unwrap()
}

fn with(frame: &mut [u16], cells: &[(usize, usize, u16)]) {
    for (row, column, number) in cells {
        frame[row * COLUMNS + column] = *number;
    }
}

#[test]
fn the_hottest_nine_of_a_zone_are_its_value() {
    let mut frame = vec![20_u16; COLUMNS * ROWS];
    for row in 30..33 {
        with(&mut frame, &[(row, 10, 90), (row, 11, 96), (row, 12, 90)]);
    }
    let zones = [Area { row: 25, column: 5, rows: 15, columns: 15 }, Area { row: 0, column: 0, rows: 10, columns: 32 }];
    let found = layout(&zones).reduce(&frame, None).unwrap();
    assert_eq!(found.count, 2);
    assert!((found.peaks[0] - 92.0).abs() < 1e-4 && (found.peaks[1] - 20.0).abs() < 1e-4, "{:?}", found.peaks);
    assert_eq!((found.replaced, found.body), (0, Some((0, 63))));
}

#[test]
fn one_cell_alone_is_no_skin_and_two_are_a_heel() {
    let mut frame = vec![20_u16; COLUMNS * ROWS];
    with(&mut frame, &[(60, 10, 4_000)]);
    let alone = layout(&[WHOLE]).reduce(&frame, None).unwrap();
    assert_eq!((alone.replaced, alone.peaks[0]), (1, 20.0));
    with(&mut frame, &[(60, 10, 200), (60, 11, 195)]);
    let heel = layout(&[WHOLE]).reduce(&frame, None).unwrap();
    assert_eq!(heel.replaced, 0);
    assert!(heel.peaks[0] > 55.0);
}

#[test]
fn a_masked_cell_is_not_asked() {
    let mut frame = vec![20_u16; COLUMNS * ROWS];
    with(&mut frame, &[(60, 10, 200), (60, 11, 195)]);
    let mut dead = [0_u64; MASK_WORDS];
    for at in [60 * COLUMNS + 10, 60 * COLUMNS + 11] {
        dead[at / 64] |= 1 << (at % 64);
    }
    let found = layout(&[WHOLE]).reduce(&frame, Some(&dead)).unwrap();
    assert_eq!((found.peaks[0], found.replaced), (20.0, 2));
}

#[test]
fn wrong_geometry_is_refused_and_says_what() {
    let zone = Area { row: 62, column: 0, rows: 3, columns: 3 };
    assert_eq!(Layout::new(32, 64, 10, &[zone]), Err(LayoutFault::Outside(0)));
    assert_eq!(Layout::new(64, 64, 10, &[WHOLE]), Err(LayoutFault::Size { columns: 64, rows: 64 }));
    assert_eq!(Layout::new(32, 64, 10, &[]), Err(LayoutFault::Zones(0)));
    let thin = Area { row: 0, column: 0, rows: 2, columns: 3 };
    assert_eq!(Layout::new(32, 64, 10, &[thin]), Err(LayoutFault::Outside(0)));
    let fault = layout(&[WHOLE]).reduce(&[0; 100], None).unwrap_err();
    assert_eq!(fault.to_string(), "a frame of 100 cells on a mat of 2048");
    assert!(Layout::lying(32, 64, 10, (6, 60)).is_ok());
    assert!(Layout::lying(4, 8, 10, (0, 7)).is_err(), "too coarse for ten zones");
}

/// The plain way to the same numbers: sort, median, deviations; slow.
fn plain(frame: &[u16], columns: usize, rows: usize, noise: i32) -> Vec<i32> {
    let middle = |sorted: &[i32]| sorted[3] + (sorted[4] - sorted[3]) / 2;
    let cell = |row: i64, column: i64| {
        let (row, column) = (row.clamp(0, rows as i64 - 1), column.clamp(0, columns as i64 - 1));
        i32::from(frame[row as usize * columns + column as usize].min(32_767))
    };
    let mut clean = Vec::new();
    for row in 0..rows as i64 {
        for column in 0..columns as i64 {
            let mut around: Vec<i32> = Vec::new();
            for (down, right) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] {
                around.push(cell(row + down, column + right));
            }
            around.sort_unstable();
            let (median, number) = (middle(&around), cell(row, column));
            let mut off: Vec<_> = around.iter().map(|near| (near - median).abs()).collect();
            off.sort_unstable();
            let far = (number - median).abs() > (4 * middle(&off).max(noise)).min(32_767);
            let apart = (number - around[7]).max(around[0] - number) > noise;
            clean.push(if far && apart { median } else { number });
        }
    }
    clean
}

proptest! {
    /// Any frame on any mat: the same as the plain way, within the range of the cells.
    #[test]
    fn the_fast_way_is_the_plain_way((columns, rows, frame) in (3_usize..70, 3_usize..40)
        .prop_filter("fits", |(columns, rows)| columns * rows <= 2_048)
        .prop_flat_map(|(columns, rows)| {
            let cell = prop_oneof![4 => 0_u16..60, 1 => 0_u16..4_096, 1 => any::<u16>()];
            (Just(columns), Just(rows), prop::collection::vec(cell, columns * rows))
        }))
    {
        let zone = Area { row: 0, column: 0, rows: rows as u8, columns: columns as u8 };
        let found = Layout::new(columns, rows, 10, &[zone]).unwrap().reduce(&frame, None).unwrap();
        let clean = plain(&frame, columns, rows, 10);
        let mut hottest = 0;
        for row in 0..rows - 2 {
            for column in 0..columns - 2 {
                let sum: i32 = (0..9).map(|at| clean[(row + at / 3) * columns + column + at % 3]).sum();
                hottest = hottest.max(sum);
            }
        }
        prop_assert!((f64::from(found.peaks[0]) - f64::from(hottest) / 9.0).abs() < 0.01);
        prop_assert_eq!(u64::from(found.load), clean.iter().map(|cell| *cell as u64).sum::<u64>());
        prop_assert!(found.peaks[0] >= 0.0 && found.peaks[0] <= 32_767.0);
    }
}
