# The image of the pages, which Cloud Run starts when somebody looks: no Beam, and so a start within seconds.
# templates/build.sh --web builds it; the context is the repository's root, cut down by .dockerignore.

FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3 AS build
WORKDIR /build
COPY requirements-dev.txt templates/web-requirements.txt ./
# What comes as source is built with the pinned setuptools: nothing is fetched that no file here names.
RUN pip install --no-cache-dir --no-deps --constraint=requirements-dev.txt setuptools wheel \
 && pip install --no-cache-dir --no-deps --no-build-isolation --require-hashes --ignore-installed --prefix=/install \
    --requirement=web-requirements.txt
COPY setup.py pyproject.toml README.md LICENSE heavy_rotation.py ./
COPY pipelines pipelines
COPY producer producer
COPY web web
RUN pip install --no-cache-dir --no-deps --no-build-isolation --ignore-installed --prefix=/install .

FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3
COPY --from=build /install /usr/local
RUN pip check \
 && useradd --create-home --uid=10001 listener
USER 10001
WORKDIR /home/listener
ENTRYPOINT ["python", "-m", "web"]
