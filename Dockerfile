# docker build -t motet .
# docker run --rm --network host motet
FROM rust:1.90-bookworm AS build
WORKDIR /motet
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/motet/target \
    cargo build --release --locked --bin motet \
    && install -D --strip target/release/motet /out/motet \
    && mkdir /data /run/motet

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="motet" \
      org.opencontainers.image.description="A WebRTC conference node in one binary" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /out/motet /usr/local/bin/motet
COPY --from=build --chown=65532:65532 /data /data
# Where the node says where it listens, so that the health check finds it whatever flags it got.
COPY --from=build --chown=65532:65532 /run/motet /run/motet
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/motet/
USER 65532:65532
ENV MOTET_DATA_DIR=/data
VOLUME /data
EXPOSE 8080/tcp 3478/udp 50000-50999/udp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s \
    CMD ["/usr/local/bin/motet", "--check"]
ENTRYPOINT ["/usr/local/bin/motet"]
