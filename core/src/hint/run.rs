//! Hints about a run, its output, and its folders.

super::declare::hints! {
    "Run";

    /// Other runs replaced the month while it was loaded, or its files changed.
    SUPERSEDED = "run again when its mirror and other runs are done";
    /// This machine's clock is wrong.
    SET_CLOCK = "set this machine's clock (NTP): requests and tokens signed a few minutes off are refused";
    /// finops itself is at fault.
    REPORT_LINES = "no month is left half loaded: run again, and report it with the lines above";
    /// The last line of a failed run.
    SEE_LINES_BEFORE = "the lines before this one with severity ERROR say what failed, and what to do";
    /// Standard output cannot be written to.
    OUTPUT_FULL = "give it a place with room; `finops status` shows what is loaded";
    /// The disk is full.
    DISK_FULL = "make room on that disk, and run again: what is there is kept";
    /// The account may not write a file or folder.
    MAY_NOT_WRITE = "let the account that runs finops write there";
    /// A file or folder cannot be written.
    CANNOT_WRITE = "check that the folder is there and can be written to";
    /// Another run uses the folder.
    WAIT_FOR_RUN = "wait for its end, and run again";
    /// A step of the staged pipeline needs what an earlier step writes.
    run_step(provider, step) = "run `finops {provider} {step}` first, which writes there";
    /// Another run changed the month during its Parquet export.
    CHANGED_MEANWHILE = "another run changed it meanwhile: run again";
    /// A Parquet file to upload cannot be read.
    PARQUET_FILE = "see that the file is there, whole and readable, then run again; export-parquet writes it anew";
}
