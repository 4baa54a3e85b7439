//! A camera that is slow, or hangs, and people who press its button meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use super::device::{Device, Source};
use crate::capture::fake_camera::FakeCamera;
use crate::capture::{CaptureError, CaptureEvent, MediaClock};

/// Far longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn device(camera: &FakeCamera) -> Device {
    let source = Source::Camera(camera.settings());
    Device::new(source, FakeCamera::profile(), MediaClock::new().unwrap())
}

/// What comes from the device until its first frame, or until it fails.
async fn first_frame(device: &mut Device) -> Result<(), CaptureError> {
    let first = async {
        loop {
            match device.next().await {
                CaptureEvent::Frame(_) => return Ok(()),
                CaptureEvent::Failed(error) => return Err(error),
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, first).await.unwrap()
}

/// Lets the device go on until the condition holds; nothing may come from it meanwhile.
async fn until(device: &mut Device, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came to that");
        tokio::select! {
            biased;
            event = device.next() => panic!("{event:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn off_while_it_opens_closes_it_and_on_again_opens_it() {
    let camera = FakeCamera::new("slow-to-deliver");
    camera.withhold(true);
    let mut device = device(&camera);
    device.open();
    until(&mut device, || camera.is_open()).await;

    let closed = Instant::now();
    device.close();
    until(&mut device, || !camera.is_open()).await;
    assert!(closed.elapsed() < Duration::from_secs(1), "{:?}", closed.elapsed());

    camera.withhold(false);
    device.open();
    assert_eq!(first_frame(&mut device).await, Ok(()));
    assert_eq!((camera.attempts(), camera.refusals()), (2, 0));
    device.shut().await;
    assert!(!camera.is_open());
}

#[tokio::test]
async fn off_and_on_at_once_while_it_opens_is_no_fault() {
    let camera = FakeCamera::new("off-and-on");
    camera.withhold(true);
    let mut device = device(&camera);
    device.open();
    until(&mut device, || camera.is_open()).await;

    device.close();
    device.open();

    until(&mut device, || camera.attempts() == 2).await;
    camera.withhold(false);
    assert_eq!(first_frame(&mut device).await, Ok(()));
    assert_eq!(camera.refusals(), 0);
    device.shut().await;
}

#[tokio::test]
async fn off_and_on_while_the_driver_opens_waits_for_the_driver() {
    let camera = FakeCamera::new("slow-driver");
    camera.hang(true);
    let mut device = device(&camera);
    device.open();
    until(&mut device, || camera.is_open()).await;

    device.close();
    device.open();
    let waits = tokio::time::timeout(Duration::from_millis(100), device.next()).await;
    assert!(waits.is_err(), "{waits:?}");
    camera.hang(false);

    assert_eq!(first_frame(&mut device).await, Ok(()));
    assert_eq!((camera.attempts(), camera.refusals()), (2, 0));
    device.shut().await;
}

#[tokio::test]
async fn a_driver_that_hangs_holds_one_thread_says_so_once_and_is_picked_up_when_it_comes_back() {
    let camera = FakeCamera::new("hung-driver");
    camera.hang(true);
    let mut device = device(&camera);
    device.open();
    let hung = first_frame(&mut device).await.unwrap_err();
    assert!(matches!(hung, CaptureError::OpenTimeout { .. }), "{hung}");

    // Tried again, as whoever was told of a failure does; and turned off and on, which tells it once more.
    device.open();
    let long = tokio::time::timeout(Duration::from_secs(6), device.next()).await;
    assert!(long.is_err(), "{long:?}");
    device.close();
    device.open();
    assert_eq!(first_frame(&mut device).await, Err(hung));
    device.open();
    assert_eq!(camera.attempts(), 1, "one thread hangs, and no other joins it");

    camera.hang(false);

    assert_eq!(first_frame(&mut device).await, Ok(()));
    assert_eq!((camera.attempts(), camera.refusals()), (2, 0));
    device.shut().await;
    assert!(!camera.is_open());
}

#[tokio::test]
async fn another_device_does_not_wait_for_the_one_that_hangs() {
    let (hung, works) = (FakeCamera::new("hung-for-good"), FakeCamera::new("works"));
    hung.hang(true);
    let mut device = device(&hung);
    device.open();
    until(&mut device, || hung.is_open()).await;

    device.change(Source::Camera(works.settings()), FakeCamera::profile());
    device.close();
    device.open();
    assert_eq!(first_frame(&mut device).await, Ok(()));

    // And back: the one that hangs is still not opened a second time.
    device.change(Source::Camera(hung.settings()), FakeCamera::profile());
    device.close();
    device.open();
    assert!(first_frame(&mut device).await.is_err());
    assert_eq!(hung.attempts(), 1);
    device.shut().await;
}
