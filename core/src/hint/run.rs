//! Hints about a run, its output, and its folders.

super::declare::hints! {
    "Run";

    /// Other runs replaced the month while it was loaded, or its files changed.
    SUPERSEDED = "run again when its mirror and other runs have ended";
    /// This machine's clock is wrong.
    SET_CLOCK = "set this machine's clock (NTP): services refuse requests and tokens whose time is a few minutes off";
    /// finops itself has a fault.
    REPORT_LINES = "no month is left half loaded: run again, and report it with the lines above";
    /// The last line of a failed run.
    SEE_LINES_BEFORE = "the lines before this one with severity ERROR say what failed, and what to do";
    /// Standard output cannot be written.
    OUTPUT_FULL = "write the output where there is space; `finops status` shows what is loaded";
    /// The disk is full.
    DISK_FULL = "free space on that disk, and run again: existing files are kept";
    /// The account may not write a file or folder.
    MAY_NOT_WRITE = "allow the account that runs finops to write there";
    /// A file or folder cannot be written.
    CANNOT_WRITE = "check that the folder exists and can be written";
    /// The folder of `finops demo` has other files.
    OTHER_DEMO_FOLDER = "choose an empty or new folder with --dir";
    /// Another run uses the folder.
    WAIT_FOR_RUN = "wait until it ends, and run again";
    /// A step of the staged pipeline needs files that an earlier step writes.
    run_step(provider, step) = "run `finops {provider} {step}` first, which writes there";
    /// Another run changed the month during its Parquet export, or created the database while this run began.
    CHANGED_MEANWHILE = "another run changed it in the meantime: run again";
    /// A Parquet file to upload cannot be read.
    PARQUET_FILE = "check that the file exists, is complete and can be read, then run again; export-parquet writes it again";
}
