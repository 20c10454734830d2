// stack_rust: marks from a Rust program: generics, a trait object, a closure, a thread, a drop while panicking.
// The list is libgcc's (_Unwind_Backtrace), to the last frame it knows.
use std::cell::RefCell;
use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::io::FromRawFd;
use std::sync::Mutex;

extern "C" {
    fn mmap(addr: *mut c_void, len: usize, prot: i32, flags: i32, fd: i32, off: i64) -> *mut c_void;
    fn gettid() -> i32;
    fn _Unwind_Backtrace(f: extern "C" fn(*mut c_void, *mut c_void) -> i32, arg: *mut c_void) -> i32;
    fn _Unwind_GetIP(ctx: *mut c_void) -> usize;
}

static OUT: Mutex<Option<File>> = Mutex::new(None);
thread_local!(static LIST: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) });

extern "C" fn collect(ctx: *mut c_void, _: *mut c_void) -> i32 {
    LIST.with(|l| l.borrow_mut().push(unsafe { _Unwind_GetIP(ctx) }));
    0
}

fn say(line: String) {
    if let Some(f) = OUT.lock().unwrap().as_mut() {
        f.write_all(line.as_bytes()).unwrap();
    }
}

#[inline(never)]
fn mark(pages: usize) -> usize {
    let p = unsafe { mmap(std::ptr::null_mut(), pages * 4096, 1, 0x22, -1, 0) } as usize;
    LIST.with(|l| l.borrow_mut().clear());
    unsafe { _Unwind_Backtrace(collect, std::ptr::null_mut()) };
    let (pid, tid) = (std::process::id(), unsafe { gettid() });
    say(format!("live pid={pid} start={p:#x} end={:#x} fn=stack_rust::mark tid={tid} call=mmap\n", p + pages * 4096));
    say(format!("mark pid={pid} tid={tid} start={p:#x} len={} skip=2\n", pages * 4096));
    // the first is the pc in here; a last 0 is no frame
    for ra in LIST.with(|l| l.borrow()[1..].to_vec()).into_iter().filter(|ra| *ra != 0) {
        say(format!("frame pid={pid} start={p:#x} ra={ra:#x} in=?\n"));
    }
    p
}

trait Shape {
    fn area(&self, n: usize) -> usize;
}

struct Square<T>(T);

impl<T: Into<f64> + Copy> Shape for Square<T> {
    #[inline(never)]
    fn area(&self, n: usize) -> usize {
        if n > 0 { self.area(n - 1) + 1 } else { mark(380) + self.0.into() as usize }
    }
}

#[inline(never)]
fn generic<S: Shape + ?Sized>(s: &S) -> usize {
    s.area(3) + mark(381)
}

struct OnTheWay;

impl Drop for OnTheWay {
    #[inline(never)]
    fn drop(&mut self) {
        mark(382);
    }
}

#[inline(never)]
fn panics() {
    let _cleanup = OnTheWay;
    std::panic::resume_unwind(Box::new("on purpose"));
}

fn main() {
    let file = match (std::env::var("VMBLAME_ACCOUNT"), std::env::var("VMBLAME_ACCOUNT_FD")) {
        (Ok(path), _) => OpenOptions::new().create(true).append(true).open(path).unwrap(),
        (_, Ok(fd)) => unsafe { File::from_raw_fd(fd.parse().unwrap()) },
        _ => unsafe { File::from_raw_fd(3) },
    };
    *OUT.lock().unwrap() = file.metadata().is_ok().then_some(file);
    let pid = std::process::id();
    say(format!("account version=1 program=stack_rust pid={pid} tid={}\n", unsafe { gettid() }));
    let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Square(2.0f64)), Box::new(Square(3u8))];
    for s in &shapes {
        generic(s.as_ref());
    }
    let _ = std::panic::catch_unwind(panics);
    std::thread::spawn(|| mark(383)).join().unwrap();
    say(format!("end pid={pid}\n"));
}
