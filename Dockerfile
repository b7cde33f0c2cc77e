# The image of the job, without DuckDB: small and quick to start.
#
#     docker build --build-arg VERSION=0.1.0 --build-arg REVISION=1a2b3c4 .
#     docker build --build-arg FEATURES=duckdb .    # with DuckDB and its library, 70 MB more
#
# Dependencies are cached in layers only, because docker without BuildKit has no cache mounts.

# The base images. Docker Hub refuses more than ten anonymous pulls an hour from one address, and many cloud builds share an
# address; so the compiler is from Google's mirror. Tags get security updates. For reproducible builds, give digests:
#
#     docker build --build-arg RUST=docker.io/library/rust@sha256:... --build-arg RUNTIME=gcr.io/distroless/cc-debian12@sha256:... .
ARG RUST=mirror.gcr.io/library/rust:1.95-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM $RUST AS build
WORKDIR /build

# Features of Cargo, separated by commas.
ARG FEATURES=""
ENV DUCKDB_LIB_DIR=/build/bin
COPY scripts/duckdb-lib.sh scripts/
RUN mkdir bin \
    && case ",$FEATURES," in *,duckdb,*) \
        apt-get update \
        && apt-get install --yes --no-install-recommends npm python3 \
        && scripts/duckdb-lib.sh \
        && cp .cache/duckdb/libduckdb.so bin/ ;; \
    esac

# The dependencies are a separate layer, built from the manifests and empty sources: a change in the code does not build
# them again. Cargo requires a file for each target in Cargo.toml.
COPY Cargo.toml Cargo.lock build.rs ./
COPY core/Cargo.toml core/
COPY emulator/Cargo.toml emulator/build.rs emulator/
COPY generator/Cargo.toml generator/
RUN mkdir -p src core/src emulator/src generator/src benches tests/suite \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs core/src/lib.rs emulator/src/lib.rs generator/src/lib.rs \
        benches/duckdb_sql.rs tests/suite/main.rs \
    && cargo build --locked --release --package finops --bin finops --no-default-features --features "$FEATURES"

COPY core/src core/src
COPY src src
# For `finops --version`. The argument comes late, so that another revision does not change the layers above.
ARG REVISION=""
# Cargo compares modification times. COPY keeps the times of the sources, which are older than the build, so touch them.
RUN find src core -name '*.rs' -exec touch {} + \
    && FINOPS_REVISION="$REVISION" \
        cargo build --locked --release --package finops --bin finops --no-default-features --features "$FEATURES" \
    && cp target/release/finops bin/

FROM $RUNTIME
COPY --from=build /build/bin/ /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/finops"]
CMD ["run"]
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="finops" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
