//! Uploaded pictures: judged by their first bytes, decoded within limits, cropped, and written again by us.
//!
//! What is kept is never the file that was sent, only its pixels: no metadata (places, names of cameras), no second
//! format hidden in the same file, the first frame of an animation.

use crate::error::{AppError, AppResult};
use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, webp::WebPEncoder},
    imageops::FilterType,
};
use std::io::Cursor;
use tokio::sync::Semaphore;

/// Largest upload, bytes.
pub const UPLOAD_LIMIT: usize = 5 * 1024 * 1024;
/// Most pixels that are decoded: 40 million, a little above what phones take.
const MAX_PIXELS: u64 = 40_000_000;
/// Longest side before decoding, pixels.
const MAX_SIDE: u32 = 20_000;
/// Most memory of decoded pixels, bytes: 40 million of four channels of eight bits, half as many of sixteen.
const MAX_BYTES: u64 = 160_000_000;
/// Most memory one decoder may ask for, bytes: the pixels, and what it works with.
const MAX_ALLOC: u64 = MAX_BYTES + 32 * 1024 * 1024;
/// Shortest side of a portrait that comes with a character, pixels: some cards are carried by a single one.
const SMALLEST: u32 = 32;
/// Longest side of a small copy, pixels.
const SMALL: u32 = 64;
/// Quality of written JPEG, of 100.
const QUALITY: u8 = 88;

/// Decoding holds much memory, so few at a time.
static DECODERS: Semaphore = Semaphore::const_new(2);

/// A picture as it is kept.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The file.
    pub bytes: Bytes,
    /// `jpg` for opaque pictures, `webp` (lossless) for those with transparency.
    pub extension: &'static str,
}

/// The middle square of a picture, at most `side` pixels wide; smaller pictures are not enlarged.
///
/// # Errors
/// `Invalid` on the field `file` for what is not one of the four formats, is broken or has too many pixels.
pub async fn square(bytes: Bytes, side: u32) -> AppResult<Picture> {
    plate(bytes, side, side).await
}

/// The middle part of a picture in the proportion of `max_width` to `max_height`, at most that large. Upright parts are
/// taken from the upper half, where faces are.
///
/// # Errors
/// As [`square`].
pub async fn plate(bytes: Bytes, max_width: u32, max_height: u32) -> AppResult<Picture> {
    if bytes.len() > UPLOAD_LIMIT {
        return Err(too_large());
    }
    apart(move || kept(&crop(decode(&bytes)?, max_width, max_height))).await
}

/// As [`plate`], for a picture that carries a character, which may be larger; with a small copy of the same part, for whoever asks
/// after its colours.
///
/// # Errors
/// As [`square`].
pub async fn carrier(bytes: Bytes, max_width: u32, max_height: u32) -> AppResult<(Picture, image::RgbImage)> {
    apart(move || {
        let part = crop(decode(&bytes)?, max_width, max_height);
        if part.width().min(part.height()) < SMALLEST {
            return Err(AppError::invalid("file", "This picture is too small for a portrait."));
        }
        let small = part.thumbnail(SMALL, SMALL).to_rgb8();
        Ok((kept(&part)?, small))
    })
    .await
}

/// A kept picture as a PNG, for files that can carry nothing else.
///
/// # Errors
/// As [`square`].
pub async fn as_png(bytes: Bytes) -> AppResult<Bytes> {
    apart(move || {
        let mut out = Cursor::new(Vec::new());
        decode(&bytes)?.write_to(&mut out, ImageFormat::Png).map_err(|error| {
            tracing::error!(%error, "a picture could not be written");
            AppError::Internal
        })?;
        Ok(out.into_inner().into())
    })
    .await
}

/// Works on a picture where it keeps nobody waiting, few at a time.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> AppResult<T> + Send + 'static) -> AppResult<T> {
    let _permit = DECODERS.acquire().await.map_err(|_| AppError::Internal)?;
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "converting a picture panicked");
        unreadable()
    })?
}

/// A kept picture as pixels of exactly this size, cropped as [`plate`] does. Takes a while: not for an async thread.
///
/// # Errors
/// As [`square`].
pub fn cover(bytes: &[u8], width: u32, height: u32) -> AppResult<image::RgbaImage> {
    let part = crop(decode(bytes)?, width, height);
    let fits = part.width() == width && part.height() == height;
    let whole = if fits { part } else { part.resize_exact(width, height, FilterType::CatmullRom) };
    Ok(whole.into_rgba8())
}

/// What a picture's key says about its format.
#[must_use]
pub fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map(|(_, e)| e) {
        Some("jpg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

/// The answer to an upload above [`UPLOAD_LIMIT`].
#[must_use]
pub fn too_large() -> AppError {
    AppError::TooLarge { message: "This picture is too large: the limit is 5 MB.".into() }
}

fn unreadable() -> AppError {
    AppError::invalid("file", "This picture cannot be read. Please try another file.")
}

fn kept(image: &DynamicImage) -> AppResult<Picture> {
    let mut out = Cursor::new(Vec::new());
    let (written, extension) = if is_opaque(image) {
        (image.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut out, QUALITY)), "jpg")
    } else {
        (image.to_rgba8().write_with_encoder(WebPEncoder::new_lossless(&mut out)), "webp")
    };
    written.map_err(|error| {
        tracing::error!(%error, "a picture could not be written");
        AppError::Internal
    })?;
    Ok(Picture { bytes: out.into_inner().into(), extension })
}

fn decode(bytes: &[u8]) -> AppResult<DynamicImage> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(|f| matches!(f, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif));
    let format = format.ok_or_else(|| AppError::invalid("file", "Please choose a JPEG, PNG, WebP or GIF picture."))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let refuse = |error: image::ImageError| match error {
        image::ImageError::Limits(_) => too_many_pixels(),
        _ => unreadable(),
    };
    // The header alone, before any pixel takes memory.
    let mut decoder = reader.into_decoder().map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    // Channels and their depth count as well: sixteen bits are twice the memory of eight.
    let is_large = u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_BYTES;
    if width > MAX_SIDE || height > MAX_SIDE || is_large {
        return Err(too_many_pixels());
    }
    if width == 0 || height == 0 {
        return Err(unreadable());
    }
    decoder.set_limits(limits).map_err(refuse)?;
    let orientation = decoder.orientation().map_err(refuse)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn too_many_pixels() -> AppError {
    AppError::invalid("file", "This picture has too many pixels: the limit is 40 million.")
}

fn crop(image: DynamicImage, max_width: u32, max_height: u32) -> DynamicImage {
    let (width, height) = (u64::from(image.width()), u64::from(image.height()));
    let (want_w, want_h) = (u64::from(max_width.max(1)), u64::from(max_height.max(1)));
    // The largest part with the wanted proportion.
    let (part_w, part_h) = if width * want_h > height * want_w {
        (height * want_w / want_h, height)
    } else {
        (width, width * want_h / want_w)
    };
    let narrow = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
    let (part_w, part_h) = (narrow(part_w.max(1)), narrow(part_h.max(1)));
    let x = (image.width() - part_w.min(image.width())) / 2;
    let y = (image.height() - part_h.min(image.height())) / 4;
    let part = image.crop_imm(x, y, part_w, part_h);
    if part_w <= max_width && part_h <= max_height {
        return part;
    }
    part.resize_exact(max_width, max_height, FilterType::Lanczos3)
}

fn is_opaque(image: &DynamicImage) -> bool {
    !image.color().has_alpha() || image.to_rgba8().pixels().all(|p| p.0.last() == Some(&u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Bytes {
        let mut out = Cursor::new(Vec::new());
        image.into().write_to(&mut out, format).unwrap();
        out.into_inner().into()
    }

    fn field_of(result: AppResult<Picture>) -> String {
        result.unwrap_err().field().to_owned()
    }

    #[tokio::test]
    async fn takes_four_formats_and_crops() {
        let image = RgbImage::from_pixel(900, 600, Rgb([200, 10, 60]));
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
            let picture = square(encoded(image.clone(), format), 512).await.unwrap();
            let read = image::load_from_memory(&picture.bytes).unwrap();
            assert_eq!((read.width(), read.height()), (512, 512), "{format:?}");
        }
        let tall = plate(encoded(image, ImageFormat::Png), 800, 1000).await.unwrap();
        let read = image::load_from_memory(&tall.bytes).unwrap();
        assert_eq!((read.width(), read.height(), tall.extension), (480, 600, "jpg"));
    }

    #[tokio::test]
    async fn keeps_transparency() {
        let image = RgbaImage::from_pixel(20, 20, Rgba([1, 2, 3, 0]));
        assert_eq!(square(encoded(image, ImageFormat::Png), 512).await.unwrap().extension, "webp");
    }

    #[tokio::test]
    async fn drops_what_rides_along() {
        // A picture that is also a page: only the pixels survive.
        let mut bytes = encoded(RgbImage::new(8, 8), ImageFormat::Gif).to_vec();
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let picture = square(bytes.into(), 512).await.unwrap();
        assert!(!picture.bytes.windows(7).any(|w| w == b"<script"));
    }

    #[tokio::test]
    async fn refuses_the_rest() {
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
        assert_eq!(field_of(square(Bytes::from_static(svg), 512).await), "file");
        assert_eq!(field_of(square(Bytes::new(), 512).await), "file");
        assert_eq!(field_of(square(Bytes::from_static(b"\x89PNG\r\n\x1a\nbroken"), 512).await), "file");
        let large = vec![0xff; UPLOAD_LIMIT + 1];
        assert_eq!(square(large.into(), 512).await.unwrap_err().status(), 413);
    }

    #[tokio::test]
    async fn pixels_count_by_the_memory_that_they_take() {
        // The same number of pixels: eight bits deep they are fine, sixteen bits deep they are too much.
        let deep = |depth: u8| {
            let mut bytes = encoded(RgbaImage::new(4, 4), ImageFormat::Png).to_vec();
            let (width, height) = (5000_u32.to_be_bytes(), 5000_u32.to_be_bytes());
            bytes[16..20].copy_from_slice(&width);
            bytes[20..24].copy_from_slice(&height);
            bytes[24] = depth;
            let sum = crc(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&sum.to_be_bytes());
            Bytes::from(bytes)
        };
        let error = square(deep(16), 512).await.unwrap_err();
        assert!(error.to_string().contains("too many pixels"), "{error}");
        let error = square(deep(8), 512).await.unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "it was read, and its pixels are missing: {error}");
    }

    #[tokio::test]
    async fn refuses_a_huge_header_before_decoding() {
        let mut bytes = encoded(RgbImage::new(4, 4), ImageFormat::Png).to_vec();
        // Width and height stand after the signature, the chunk's length and its name; the sum over the chunk follows.
        bytes[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
        let sum = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        let error = square(bytes.into(), 512).await.unwrap_err();
        assert!(error.to_string().contains("too many pixels"), "{error}");
    }

    fn crc(data: &[u8]) -> u32 {
        !data.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
        })
    }
}
