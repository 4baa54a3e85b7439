//! A running clock and a moving block on the test picture.
//!
//! GStreamer's `timeoverlay` would do it too, for 8 MB of Pango and fonts and a fifth more CPU (measured at
//! 640x480, 30 fps); this sets a few thousand bytes per picture.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

/// Luma of white, in video range.
const WHITE: u8 = 235;
/// Luma of black, in video range.
const BLACK: u8 = 16;
/// Chroma of what has no colour.
const COLOURLESS: u8 = 128;

/// The digits, five rows of three cells each; the highest bit is the upper left cell.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_001_001_001,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];
const COLON: u16 = 0b000_010_000_010_000;
const POINT: u16 = 0b000_000_000_000_010;

/// A picture is this many cells high.
const CELLS_HIGH: usize = 60;
/// `HH:MM:SS.cc`: eleven signs, each three cells wide, one cell between them.
const TEXT_CELLS: usize = 11 * 4 - 1;
/// How long the block takes from left to right.
const SWEEP: Duration = Duration::from_secs(2);

/// Draws on every I420 picture that passes the pad: the time of day (UTC), and a block that crosses the picture
/// in two seconds. Both stand in the lowest quarter, below the colour bars.
pub(super) fn attach(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let video = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        if let (Some(buffer), Some(video)) = (info.buffer_mut(), video)
            && video.format() == gst_video::VideoFormat::I420
            && let Ok(mut frame) =
                gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), &video)
        {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            draw(&mut frame, now);
        }
        gst::PadProbeReturn::Ok
    });
}

fn draw(frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>, now: Duration) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let cell = (height / CELLS_HIGH).max(1);
    let left = width.saturating_sub((TEXT_CELLS + 2) * cell) / 2;
    let top = height * 47 / CELLS_HIGH;
    let columns = left..left + (TEXT_CELLS + 2) * cell;
    let rows = top..top + 7 * cell;
    let halved = |range: &Range<usize>| range.start / 2..range.end.div_ceil(2);
    for chroma in [1, 2] {
        fill(frame, chroma, halved(&columns), halved(&rows), COLOURLESS);
    }
    fill(frame, 0, columns, rows, BLACK);
    for (at, sign) in signs(now).into_iter().enumerate() {
        draw_sign(frame, sign, left + cell + at * 4 * cell, top + cell, cell);
    }
    let swept = now.as_millis() % SWEEP.as_millis();
    let x = (width.saturating_sub(4 * cell)) * swept as usize / SWEEP.as_millis() as usize;
    fill(frame, 0, x..x + 4 * cell, height.saturating_sub(4 * cell)..height.saturating_sub(cell), WHITE);
}

/// `HH:MM:SS.cc` of that instant since the Unix epoch.
fn signs(now: Duration) -> [u16; 11] {
    let seconds = now.as_secs() % 86_400;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let hundredths = u64::from(now.subsec_millis()) / 10;
    let tens = |number: u64| DIGITS[(number / 10 % 10) as usize];
    let ones = |number: u64| DIGITS[(number % 10) as usize];
    [
        tens(hours),
        ones(hours),
        COLON,
        tens(minutes),
        ones(minutes),
        COLON,
        tens(seconds),
        ones(seconds),
        POINT,
        tens(hundredths),
        ones(hundredths),
    ]
}

fn draw_sign(
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    sign: u16,
    left: usize,
    top: usize,
    cell: usize,
) {
    for bit in (0..15).filter(|bit| sign & (1 << (14 - bit)) != 0) {
        let (x, y) = (left + bit % 3 * cell, top + bit / 3 * cell);
        fill(frame, 0, x..x + cell, y..y + cell, WHITE);
    }
}

/// Sets a rectangle of one plane; what lies outside the picture is left out.
fn fill(
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    plane: u32,
    columns: Range<usize>,
    rows: Range<usize>,
    value: u8,
) {
    let Some(&stride) = frame.plane_stride().get(plane as usize) else { return };
    let Ok(stride) = usize::try_from(stride) else { return };
    let Ok(data) = frame.plane_data_mut(plane) else { return };
    let columns = columns.start.min(stride)..columns.end.min(stride);
    for row in rows {
        let start = row * stride;
        if let Some(cells) = data.get_mut(start + columns.start..start + columns.end) {
            cells.fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_the_time_of_day_in_utc() {
        let at = Duration::from_millis(86_400_000 + (13 * 3600 + 5 * 60 + 42) * 1000 + 987);

        let d = DIGITS;
        assert_eq!(signs(at), [d[1], d[3], COLON, d[0], d[5], COLON, d[4], d[2], POINT, d[9], d[8]]);
    }

    #[test]
    fn drawing_stays_below_the_bars_and_inside_pictures_of_any_size() {
        crate::capture::init().unwrap();
        for (width, height) in [(640, 480), (320, 240), (160, 120), (17, 9), (1, 1), (1920, 1080)] {
            let info =
                gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height).build().unwrap();
            let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
            let buffer = buffer.get_mut().unwrap();
            buffer.memset(.., 77).unwrap();
            let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &info).unwrap();

            draw(&mut frame, Duration::from_millis(12_345));

            let stride = frame.plane_stride()[0] as usize;
            let luma = frame.plane_data(0).unwrap();
            let above = luma[..stride * (height as usize * 3 / 4)].iter().all(|&luma| luma == 77);
            assert!(above || height < 60, "{width}x{height}: the bars are untouched");
            if height >= 120 {
                assert!(luma.contains(&WHITE) && luma.contains(&BLACK), "{width}x{height}");
            }
        }
    }
}
