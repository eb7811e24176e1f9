# docker build --target light -t mmlandslide .            docker run -v "$PWD:/data" mmlandslide detect --help
# docker build --target training -t mmlandslide:training . docker run --gpus all --shm-size 8g -v "$PWD/data:/mmlandslide/data" ...
FROM python:3.12-slim AS source
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1 libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /mmlandslide
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE ./
COPY mmcv_ext mmcv_ext
COPY mmlandslide mmlandslide
COPY configs configs
COPY studies studies
COPY model-index.yml .

FROM source AS light
RUN pip install --no-cache-dir -c constraints.txt .
RUN useradd --create-home mapper
USER mapper
WORKDIR /data
ENTRYPOINT ["mmlandslide"]
CMD ["--help"]

FROM source AS training
COPY tools tools
RUN pip install --no-cache-dir -c constraints.txt -e '.[openmmlab,weights]'
RUN useradd --create-home trainer && chown trainer /mmlandslide
USER trainer
CMD ["mmlandslide", "doctor"]
