# The sidecar and the models that ship, from the locked packages. Build from the root of the repository:
#   docker build -f docker/sidecar.Dockerfile -t hybridrank-sidecar .
# For NVIDIA GPUs (x86-64, a driver from 580 on), with CUDA 13 and cuDNN 9 from packages that are locked like the rest:
#   docker build -f docker/sidecar.Dockerfile --build-arg LOCK=gpu -t hybridrank-sidecar:gpu .
ARG LOCK=runtime

FROM python:3.12-slim-trixie AS build
ARG LOCK
WORKDIR /src
RUN python -m venv /opt/hybridrank
ENV PATH=/opt/hybridrank/bin:$PATH
COPY requirements/$LOCK.lock requirements/
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/$LOCK.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-trixie
# LightGBM's wheel takes OpenMP from the system. Its version is Debian's, which changes within a release only to be mended.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --no-create-home sidecar
COPY --from=build /opt/hybridrank /opt/hybridrank
# The libraries of the GPU lock are in packages, where ONNX Runtime's CUDA provider would not look.
ENV PATH=/opt/hybridrank/bin:$PATH \
    LD_LIBRARY_PATH=/opt/hybridrank/lib/python3.12/site-packages/nvidia/cu13/lib:/opt/hybridrank/lib/python3.12/site-packages/nvidia/cudnn/lib \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HYBRIDRANK_SIDECAR_HOST=0.0.0.0
USER 10001
EXPOSE 50051 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-m", "hybridrank.sidecar.health"]
ENTRYPOINT ["python", "-m", "hybridrank.sidecar"]
