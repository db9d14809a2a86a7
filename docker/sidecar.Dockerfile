# The sidecar and the models that ship, from the locked packages. Build from the root of the repository:
#   docker build -f docker/sidecar.Dockerfile -t hybridrank-sidecar .
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/hybridrank
ENV PATH=/opt/hybridrank/bin:$PATH
COPY requirements/runtime.lock requirements/
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/runtime.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home sidecar
COPY --from=build /opt/hybridrank /opt/hybridrank
ENV PATH=/opt/hybridrank/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HYBRIDRANK_SIDECAR_HOST=0.0.0.0
USER 10001
EXPOSE 50051 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-m", "sidecar.health"]
ENTRYPOINT ["python", "-m", "sidecar"]
