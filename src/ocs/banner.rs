//! Banners: the picture that other sites and messengers show beside a link to a character, as pixels, because most of
//! them show no SVG.
//!
//! A banner is the character's plate before a ground of its own colours. The plate stands in the middle, since some
//! cut a square out of the picture. Drawing one takes a moment of a processor, so it is done once for a crowd, few at a
//! time, and what was drawn last is kept in memory.

use super::{
    portrait::{self, Traits},
    seed,
    store::Look,
    style::{Colour, Seeded, Theme, VisualStyle},
};
use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    server::images,
};
use bytes::Bytes;
use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use resvg::{
    tiny_skia::{ColorU8, FillRule, FilterQuality, Paint, Path, PathBuilder, Pattern, Pixmap, SpreadMode, Transform},
    usvg,
};
use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{OnceCell, Semaphore};

/// Width of a banner, pixels.
pub const WIDTH: u32 = 1200;
/// Height of a banner, pixels.
pub const HEIGHT: u32 = 630;
/// Size of the plate in it, pixels.
const PLATE: (u32, u32) = (432, 540);
/// Roundness of the plate's corners, pixels.
const ROUND: f32 = 26.0;
/// Paper around the plate, pixels.
const MAT: f64 = 9.0;

/// Most banners that are kept.
const MOST: usize = 64;
/// Most bytes that they take together.
const ROOM: usize = 8 * 1024 * 1024;
/// How many are drawn at the same time.
const AT_ONCE: usize = 2;
/// How long one waits for its turn before the asker is sent away.
const PATIENCE: Duration = Duration::from_secs(8);

/// Whose banner: of a version of a character, or of the site.
type Key = Option<(OcId, i32)>;
type Cell = Arc<OnceCell<Bytes>>;

/// The banners that were asked for last.
pub struct Banners {
    kept: Mutex<VecDeque<(Key, Cell)>>,
    turns: Arc<Semaphore>,
}

impl Default for Banners {
    fn default() -> Self {
        Self { kept: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Banners {
    /// The banner of a character as PNG. `upload` is its uploaded plate, if it has one.
    ///
    /// # Errors
    /// `Unavailable` when too many others are waiting.
    pub async fn of(&self, id: OcId, look: &Look, upload: Option<Bytes>) -> AppResult<Bytes> {
        let look = look.clone();
        self.keep(Some((id, look.version)), move || of_character(&id.to_string(), &look, upload)).await
    }

    /// The banner of pages that have none of their own, as PNG.
    ///
    /// # Errors
    /// As [`Banners::of`].
    pub async fn of_site(&self) -> AppResult<Bytes> {
        self.keep(None, of_site).await
    }

    /// Draws once what many ask for at the same time.
    async fn keep(&self, key: Key, draw: impl FnOnce() -> Result<Bytes, Fault> + Send + 'static) -> AppResult<Bytes> {
        self.cell(key).get_or_try_init(|| self.in_turn(draw)).await.cloned()
    }

    /// Draws apart from those who wait, few at a time.
    async fn in_turn(&self, draw: impl FnOnce() -> Result<Bytes, Fault> + Send + 'static) -> AppResult<Bytes> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let busy = || AppError::unavailable("Many pictures are being drawn. Please try again in a moment.");
        let turn = turn.map_err(|_| busy())?.map_err(|_| AppError::Internal)?;
        let drawing = tokio::task::spawn_blocking(move || {
            // Until the drawing has ended, also when nobody waits for it any more.
            let _turn = turn;
            draw()
        });
        let fault = match drawing.await {
            Ok(Ok(png)) => return Ok(png),
            Ok(Err(fault)) => fault.0,
            Err(panic) => panic.to_string(),
        };
        tracing::error!(fault, "a picture could not be drawn");
        Err(AppError::Internal)
    }

    /// The drawn plate of a character alone, in the size of uploaded ones. It is asked for seldom, so it is not kept.
    ///
    /// # Errors
    /// `Unavailable` when too many wait.
    pub async fn plate(&self, id: OcId, look: Look) -> AppResult<Bytes> {
        let draw = move || {
            let traits = Traits::from_words(&look.appearance);
            let mut plate = empty(super::plates::PLATE)?;
            draw(&portrait::svg(&id.to_string(), &look.name, &look.style, &traits), &mut plate)?;
            png(plate)
        };
        self.in_turn(draw).await
    }

    /// The place of a banner among those that are kept; what was not asked for the longest goes.
    fn cell(&self, key: Key) -> Cell {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(other, _)| *other == key).and_then(|at| kept.remove(at));
        let (_, cell) = place.unwrap_or((key, Cell::default()));
        kept.push_front((key, Arc::clone(&cell)));
        kept.truncate(MOST);
        let mut bytes = 0;
        kept.retain(|(_, cell)| {
            bytes += cell.get().map_or(0, Bytes::len);
            bytes <= ROOM
        });
        cell
    }
}

/// Why there is no picture, for the log.
struct Fault(String);

impl Fault {
    fn of(what: impl ToString) -> Self {
        Self(what.to_string())
    }
}

fn of_character(id: &str, look: &Look, upload: Option<Bytes>) -> Result<Bytes, Fault> {
    let plate = match upload {
        Some(upload) => photo(upload, look.style.background.first())?,
        None => drawn(&portrait::svg(id, &look.name, &look.style, &Traits::from_words(&look.appearance)))?,
    };
    let middle = Place::new(600.0, 315.0, 1.0, 0.0);
    let sheets = [
        (Place::new(452.0, 332.0, 0.93, -8.0), look.style.primary_color),
        (Place::new(748.0, 332.0, 0.93, 8.0), look.style.accent_color),
    ];
    let mut picture = ground(&scene(id, &look.style, &sheets, &[middle]))?;
    middle.paste(&mut picture, &plate)?;
    png(picture)
}

fn of_site() -> Result<Bytes, Fault> {
    let mut faces = Vec::new();
    for face in seed::faces().map_err(Fault::of)?.into_iter().take(3) {
        let svg = portrait::svg(&face.id, &face.name, &face.style, &Traits::from_words(&face.appearance.join(", ")));
        faces.push((drawn(&svg)?, face.style));
    }
    let style = faces.first().map(|(_, style)| style.clone()).unwrap_or_default();
    // The first stands in front, so it is drawn last.
    let places =
        [Place::new(905.0, 330.0, 0.84, 7.0), Place::new(295.0, 330.0, 0.84, -7.0), Place::new(600.0, 315.0, 1.0, 0.0)];
    let mut picture = ground(&scene("SoulForge", &style, &[], &[]))?;
    for (place, (plate, _)) in places.iter().zip(faces.iter().rev()) {
        draw(&document(&place.frame()), &mut picture)?;
        place.paste(&mut picture, plate)?;
    }
    png(picture)
}

/// Where a plate lies: its middle, its scale, its turn in degrees.
#[derive(Clone, Copy)]
struct Place {
    x: f32,
    y: f32,
    scale: f32,
    turn: f32,
}

impl Place {
    const fn new(x: f32, y: f32, scale: f32, turn: f32) -> Self {
        Self { x, y, scale, turn }
    }

    /// A rounded sheet of the plate's size and `more` on every side, moved by `aside` and `down`.
    fn sheet(&self, more: f64, (aside, down): (f64, f64), fill: &str) -> String {
        let (width, height) = (f64::from(PLATE.0) + 2.0 * more, f64::from(PLATE.1) + 2.0 * more);
        let (x, y, scale, turn) = (f64::from(self.x) + aside, f64::from(self.y) + down, self.scale, self.turn);
        format!(
            "<rect transform=\"translate({x} {y}) rotate({turn}) scale({scale})\" x=\"{}\" y=\"{}\" width=\"{width}\" \
             height=\"{height}\" rx=\"{}\" {fill}/>",
            -width / 2.0,
            -height / 2.0,
            f64::from(ROUND) + more,
        )
    }

    /// A sheet of paper and the shadow that it throws.
    fn paper(&self, more: f64, colour: Colour) -> String {
        let mut out = String::new();
        for (aside, down, opacity) in [(14.0, 24.0, 0.1), (7.0, 12.0, 0.16), (3.0, 5.0, 0.14)] {
            out += &self.sheet(more, (aside, down), &format!("fill=\"#000\" opacity=\"{opacity}\""));
        }
        out += &self.sheet(more, (-1.5, -1.5), &format!("fill=\"{}\"", colour.mix(Colour::WHITE, 0.45)));
        out + &self.sheet(more, (0.0, 0.0), &format!("fill=\"{colour}\""))
    }

    /// The paper that a plate lies on.
    fn frame(&self) -> String {
        self.paper(MAT, Colour::new(0xfb, 0xfa, 0xf6))
    }

    /// Lays a plate here.
    fn paste(&self, picture: &mut Pixmap, plate: &Pixmap) -> Result<(), Fault> {
        let (width, height) = (PLATE.0 as f32, PLATE.1 as f32);
        let place = Transform::from_rotate(self.turn)
            .pre_scale(self.scale, self.scale)
            .pre_translate(-width / 2.0, -height / 2.0)
            .post_translate(self.x, self.y);
        let shape = rounded(width, height, ROUND).ok_or_else(|| Fault::of("no shape"))?;
        let fill = Paint {
            shader: Pattern::new(plate.as_ref(), SpreadMode::Pad, FilterQuality::Bicubic, 1.0, Transform::identity()),
            anti_alias: true,
            ..Paint::default()
        };
        picture.fill_path(&shape, &fill, FillRule::Winding, place, None);
        Ok(())
    }
}

/// A rectangle at the origin with round corners.
fn rounded(width: f32, height: f32, round: f32) -> Option<Path> {
    // How far the handles of a quarter of a circle reach.
    let (a, b) = (round, round * 0.4477);
    let mut path = PathBuilder::new();
    path.move_to(a, 0.0);
    path.line_to(width - a, 0.0);
    path.cubic_to(width - b, 0.0, width, b, width, a);
    path.line_to(width, height - a);
    path.cubic_to(width, height - b, width - b, height, width - a, height);
    path.line_to(a, height);
    path.cubic_to(b, height, 0.0, height - b, 0.0, height - a);
    path.line_to(0.0, a);
    path.cubic_to(0.0, b, b, 0.0, a, 0.0);
    path.close();
    path.finish()
}

/// Everything behind the plate: the colours of the profile's band, a light, three layers of paper land, sheets of
/// coloured paper, and the paper that plates lie on.
fn scene(seed: &str, style: &VisualStyle, sheets: &[(Place, Colour)], frames: &[Place]) -> String {
    let [from, over, to] = style.tokens(Theme::Dark).band;
    let light = style.accent_color.mix(Colour::WHITE, 0.35);
    let mut out = format!(
        "<defs><linearGradient id=\"band\" x2=\"1\" y2=\".55\"><stop stop-color=\"{from}\"/>\
         <stop offset=\".7\" stop-color=\"{over}\"/><stop offset=\"1\" stop-color=\"{to}\"/></linearGradient>\
         <radialGradient id=\"light\"><stop stop-color=\"{light}\" stop-opacity=\".5\"/>\
         <stop offset=\".55\" stop-color=\"{light}\" stop-opacity=\".16\"/>\
         <stop offset=\"1\" stop-color=\"{light}\" stop-opacity=\"0\"/></radialGradient></defs>\
         <path fill=\"url(#band)\" d=\"M0 0H{WIDTH}V{HEIGHT}H0Z\"/>\
         <circle fill=\"url(#light)\" cx=\"600\" cy=\"290\" r=\"560\"/>"
    );
    let mut pick = Seeded::new(seed, "banner");
    for _ in 0..26 {
        // Beside the plate, not under it.
        let side = pick.between(24.0, 340.0);
        let x = if pick.chance(0.5) { side } else { f64::from(WIDTH) - side };
        let (y, r, opacity) = (pick.between(26.0, 430.0), pick.between(1.6, 4.6), pick.between(0.25, 0.8));
        let _ =
            write!(out, "<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"{r:.1}\" fill=\"{light}\" opacity=\"{opacity:.2}\"/>");
    }
    let land = [(470.0, 0.22), (530.0, 0.42), (588.0, 0.62)];
    for (y, depth) in land {
        let [a, b, c] = [0, 1, 2].map(|_: i32| pick.between(-46.0, 46.0));
        let colour = over.mix(style.primary_color, 0.3).mix(from.mix(Colour::BLACK, 0.3), depth);
        let edge = colour.mix(Colour::WHITE, 0.14);
        let d = |lift: f64| {
            let at = |by: f64| y + by - lift;
            format!(
                "M0 {HEIGHT}V{:.0}C200 {:.0} 330 {:.0} 520 {:.0}S900 {:.0} {WIDTH} {:.0}V{HEIGHT}Z",
                at(a),
                at(b - 40.0),
                at(c + 40.0),
                at(a * 0.5),
                at(b),
                at(c)
            )
        };
        let _ = write!(out, "<path d=\"{}\" opacity=\".13\"/>", d(9.0));
        let _ = write!(out, "<path d=\"{}\" fill=\"{edge}\"/><path d=\"{}\" fill=\"{colour}\"/>", d(1.5), d(0.0));
    }
    for (place, colour) in sheets {
        out += &place.paper(MAT, *colour);
    }
    for place in frames {
        out += &place.frame();
    }
    document(&out)
}

/// Markup as a document of a banner's size.
fn document(markup: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\">{markup}</svg>"
    )
}

/// A drawn ground as pixels.
fn ground(svg: &str) -> Result<Pixmap, Fault> {
    let mut picture = empty((WIDTH, HEIGHT))?;
    draw(svg, &mut picture)?;
    Ok(picture)
}

/// A drawn plate as pixels.
fn drawn(svg: &str) -> Result<Pixmap, Fault> {
    let mut plate = empty(PLATE)?;
    draw(svg, &mut plate)?;
    Ok(plate)
}

/// An uploaded plate as pixels, on the character's own ground where it lets something through.
fn photo(upload: Bytes, behind: Colour) -> Result<Pixmap, Fault> {
    let photo = images::cover(&upload, PLATE.0, PLATE.1).map_err(Fault::of)?;
    let mut plate = empty(PLATE)?;
    for (place, pixel) in plate.pixels_mut().iter_mut().zip(photo.pixels()) {
        let [r, g, b, a] = pixel.0;
        let over = |above: u8, below: u8| {
            let mixed = (u32::from(above) * u32::from(a) + u32::from(below) * (255 - u32::from(a)) + 127) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        *place = ColorU8::from_rgba(over(r, behind.r), over(g, behind.g), over(b, behind.b), u8::MAX).premultiply();
    }
    Ok(plate)
}

fn empty((width, height): (u32, u32)) -> Result<Pixmap, Fault> {
    Pixmap::new(width, height).ok_or_else(|| Fault::of("no picture of this size"))
}

/// Draws a document over a picture, as large as the picture is.
fn draw(svg: &str, picture: &mut Pixmap) -> Result<(), Fault> {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).map_err(Fault::of)?;
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let fit = Transform::from_scale(width / tree.size().width(), height / tree.size().height());
    resvg::render(&tree, fit, &mut picture.as_mut());
    Ok(())
}

/// The picture as a file. Nothing shines through a banner, so transparency is left out.
fn png(picture: Pixmap) -> Result<Bytes, Fault> {
    let (width, height) = (picture.width(), picture.height());
    let pixels: Vec<u8> = picture.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let mut out = Vec::new();
    PngEncoder::new_with_quality(&mut out, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(Fault::of)?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};
    use std::sync::atomic::{AtomicUsize, Ordering};

    static DRAWN: AtomicUsize = AtomicUsize::new(0);
    static AT_WORK: AtomicUsize = AtomicUsize::new(0);
    static MOST_AT_WORK: AtomicUsize = AtomicUsize::new(0);

    fn slowly() -> Result<Bytes, Fault> {
        DRAWN.fetch_add(1, Ordering::SeqCst);
        MOST_AT_WORK.fetch_max(AT_WORK.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
        Ok(Bytes::from_static(b"picture"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crowd_costs_one_drawing_and_many_wait_for_their_turn() {
        let banners = Arc::new(Banners::default());
        let id = |n: u128| OcId(uuid::Uuid::from_u128(n));
        // Forty people, eight characters, and some who go away before they have it.
        let crowd: Vec<_> = (0..40)
            .map(|n| {
                let banners = Arc::clone(&banners);
                tokio::spawn(async move { banners.keep(Some((id(n % 8), 1)), slowly).await })
            })
            .collect();
        crowd[3].abort();
        crowd[30].abort();
        for (n, one) in crowd.into_iter().enumerate() {
            match one.await {
                Ok(banner) => assert_eq!(banner.unwrap(), "picture"),
                Err(left) => assert!(left.is_cancelled() && (n == 3 || n == 30)),
            }
        }
        // One more at the most, if whoever left had begun it.
        let drawn = DRAWN.load(Ordering::SeqCst);
        assert!((8..=10).contains(&drawn), "{drawn} drawings of eight");
        assert_eq!(MOST_AT_WORK.load(Ordering::SeqCst), AT_ONCE);
        // Only as many are kept as there is room for, the newest.
        for n in 20..26 {
            let large = || Ok(vec![0; ROOM / 4].into());
            banners.keep(Some((id(n), 1)), large).await.unwrap();
        }
        banners.cell(None);
        let kept = |n| banners.kept.lock().unwrap().iter().any(|(key, _)| *key == Some((id(n), 1)));
        assert_eq!([20, 21, 22, 23, 24, 25].map(kept), [false, false, true, true, true, true]);
        assert!(banners.keep(Some((id(99), 1)), || Err(Fault::of("torn"))).await.is_err());
        assert!(banners.keep(Some((id(99), 1)), slowly).await.is_ok(), "a failure is not kept");
    }

    /// Addresses of banners carry `BANNER`, and whoever keeps one keeps it for that version.
    #[test]
    fn a_changed_composition_has_a_new_version() {
        let mut sum = Sha256::new();
        let places = [Place::new(600.0, 315.0, 1.0, 0.0), Place::new(452.0, 332.0, 0.93, -8.0)];
        for seed in ["one", "two", "three"] {
            let style = VisualStyle::suggest(seed);
            let sheets = places.map(|place| (place, style.accent_color));
            sum.update(scene(seed, &style, &sheets, &places));
        }
        let sum: String = sum.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
        let kept = (crate::ocs::BANNER, "c83275cddb3e6a27");
        assert_eq!(
            (crate::ocs::BANNER, sum.as_str()),
            kept,
            "the composition has changed: raise BANNER, and keep the new sum here"
        );
    }

    #[test]
    fn what_shines_through_an_upload_lies_on_the_characters_ground() {
        let mut half = std::io::Cursor::new(Vec::new());
        image::RgbaImage::from_pixel(40, 50, image::Rgba([255, 255, 255, 128]))
            .write_to(&mut half, image::ImageFormat::Png)
            .unwrap();
        let plate = photo(half.into_inner().into(), Colour::BLACK).ok().unwrap();
        let pixel = plate.pixels()[1000];
        assert_eq!((pixel.red(), pixel.alpha()), (128, 255));
        assert!(photo(Bytes::from_static(b"no picture"), Colour::BLACK).is_err());
    }
}
