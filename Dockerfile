# The steps are the Makefile's. Build: docker build -t sentinode .    GPU: --build-arg ONNXRUNTIME=gpu
FROM python:3.13-slim
ARG ONNXRUNTIME=cpu
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 sentinode
WORKDIR /opt/sentinode
COPY pyproject.toml README.md LICENSE Makefile ./
COPY agent agent
COPY models models
COPY sql sql
RUN make install ONNXRUNTIME=$ONNXRUNTIME EXTRAS=cluster && mkdir var && chown sentinode var
COPY config.yaml ./
USER sentinode
ENV PATH=/opt/sentinode/.venv/bin:$PATH
VOLUME /opt/sentinode/var
EXPOSE 11112
STOPSIGNAL SIGTERM
CMD ["sh", "-c", "sentinode migrate && exec sentinode serve"]
