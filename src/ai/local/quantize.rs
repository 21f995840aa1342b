//! The two calls for which llama.cpp has no safe wrapper: its log and its re-quantiser.

use crate::ai::ModelError;
use llama_cpp_sys_2 as sys;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fs::{self, File};
use std::path::Path;

/// Writes `src` anew as Q8_0, which reads prompts about twice as fast on processors as four bits do, for half as much
/// memory again. `dst` appears whole or not at all. Takes seconds for a small model; call it off the async threads.
pub fn quantize_q8(src: &Path, dst: &Path) -> Result<(), ModelError> {
    super::load::backend().map_err(|fault| ModelError::Unavailable(fault.reason))?;
    let failed = |what: &str| ModelError::Failed(format!("{what}: {}", src.display()));
    let name = dst.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let part = dst.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let result = write_q8(src, &part).and_then(|()| {
        File::open(&part).and_then(|file| file.sync_all()).map_err(|_| failed("the model could not be written"))?;
        fs::rename(&part, dst).map_err(|error| failed(&format!("the model could not be written ({error})")))
    });
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}

#[expect(unsafe_code, reason = "llama_model_quantize has no safe wrapper")]
fn write_q8(src: &Path, part: &Path) -> Result<(), ModelError> {
    let failed = || ModelError::Failed(format!("the model could not be converted: {}", src.display()));
    let from = CString::new(src.as_os_str().as_encoded_bytes()).map_err(|_| failed())?;
    let to = CString::new(part.as_os_str().as_encoded_bytes()).map_err(|_| failed())?;
    // SAFETY: both strings and the parameters live until the call returns; llama.cpp catches its own exceptions.
    let status = unsafe {
        let mut params = sys::llama_model_quantize_default_params();
        params.nthread = i32::try_from(super::load::default_threads()).unwrap_or(1);
        params.ftype = sys::LLAMA_FTYPE_MOSTLY_Q8_0;
        params.allow_requantize = true;
        sys::llama_model_quantize(from.as_ptr(), to.as_ptr(), &raw const params)
    };
    if status == 0 { Ok(()) } else { Err(failed()) }
}

/// Lines of complaint that are kept.
const SAID_MOST: usize = 16;

thread_local! {
    /// What llama.cpp complained about on this thread: the only place where it says why it refused a file.
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What llama.cpp complained about on this thread since [`forget_said`].
pub(super) fn said() -> Vec<String> {
    SAID.with_borrow(Clone::clone)
}

/// Forgets what llama.cpp complained about on this thread.
pub(super) fn forget_said() {
    SAID.with_borrow_mut(Vec::clear);
}

/// llama.cpp writes much and to the terminal; it belongs into the log, at the level for those who look for a fault.
#[expect(unsafe_code, reason = "the safe wrapper logs every line at llama.cpp's own level, which is far too loud")]
pub(super) fn send_logs_to_tracing() {
    // SAFETY: the callback is a plain function that keeps nothing.
    unsafe { sys::llama_log_set(Some(log), std::ptr::null_mut()) };
}

#[expect(unsafe_code, reason = "called by llama.cpp with a C string")]
unsafe extern "C" fn log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a terminated string that lives during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim();
    // Continuations are dots of a progress bar.
    if text.is_empty() || level == sys::GGML_LOG_LEVEL_CONT {
        return;
    }
    if level == sys::GGML_LOG_LEVEL_ERROR {
        SAID.with_borrow_mut(|said| {
            if said.len() < SAID_MOST {
                said.push(text.to_owned());
            }
        });
        tracing::warn!(target: "llama_cpp", "{text}");
    } else {
        tracing::debug!(target: "llama_cpp", "{text}");
    }
}
