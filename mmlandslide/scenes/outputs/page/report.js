'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const map = L.map('map', { crs: data.on_the_map ? L.CRS.EPSG3857 : L.CRS.Simple, preferCanvas: true, zoomSnap: 0.25, minZoom: -8, maxZoom: 22 });
map.attributionControl.setPrefix('Leaflet 1.9.4');
const scale = L.control.scale({ imperial: false }).addTo(map);
if (!data.on_the_map) {
  // Leaflet counts pixels here, and calls them metres.
  scale._updateMetric = (pixels) => {
    const length = scale._getRoundNum(pixels * (data.pixel_m || 1));
    const label = data.pixel_m === null ? `${length} px` : length < 1000 ? `${length} m` : `${length / 1000} km`;
    scale._updateScale(scale._mScale, label, length / (data.pixel_m || 1) / pixels);
  };
  scale._update();
}
if (data.north_up) {
  const north = L.control({ position: 'topright' });
  north.onAdd = () => {
    const arrow = L.DomUtil.create('div', 'north');
    arrow.textContent = '▲ N';
    return arrow;
  };
  north.addTo(map);
}
const picture = L.imageOverlay(data.picture, data.bounds).addTo(map);
map.fitBounds(data.bounds);

const number = (value, digits) => value.toLocaleString('en', { maximumFractionDigits: digits });

function facts(properties, center) {
  return [
    ['id', properties.id],
    [data.score_name, properties[data.score_name].toFixed(3)],
    ['area', `${number(properties.area_m2, 0)} ${data.area_unit}`],
    ...(properties.slope_deg === null ? [] : [['slope', `${number(properties.slope_deg, 1)}°`]]),
    ...(properties.elevation_min_m === null ? []
      : [['elevation', `${number(properties.elevation_min_m, 0)} to ${number(properties.elevation_max_m, 0)} m`]]),
    data.on_the_map ? ['latitude, longitude', `${center.lat.toFixed(5)}, ${center.lng.toFixed(5)}`]
      : ['row, column', `${(-center.lat).toFixed(0)}, ${center.lng.toFixed(0)}`],
  ];
}

function popup(layer) {
  const table = document.createElement('table');
  for (const [name, value] of facts(layer.feature.properties, layer.getBounds().getCenter())) {
    const row = table.insertRow();
    row.appendChild(document.createElement('th')).textContent = name;
    row.insertCell().textContent = value;
  }
  if (data.on_the_map) {
    const { lat, lng } = layer.getBounds().getCenter(), place = `${lat.toFixed(5)}/${lng.toFixed(5)}`;
    const link = table.insertRow().insertCell().appendChild(document.createElement('a'));
    Object.assign(link, { textContent: 'on OpenStreetMap', target: '_blank', rel: 'noreferrer' });
    link.href = `https://www.openstreetmap.org/?mlat=${lat.toFixed(5)}&mlon=${lng.toFixed(5)}#map=14/${place}`;
  }
  return table;
}

const boxes = L.featureGroup().addTo(map);
// Best first in the file; the best are added last, so that they lie on top.
const all = data.features.slice().reverse().map((feature) => L.geoJSON(feature, {
  style: { color: data.colors[feature.properties.class], weight: 2, fill: true, fillOpacity: 0 },
}).getLayers()[0]);
all.forEach((layer) => layer.bindPopup(popup));

function show(least) {
  boxes.clearLayers();
  const kept = all.filter((layer) => layer.feature.properties[data.score_name] >= least);
  kept.forEach((layer) => boxes.addLayer(layer));
  document.getElementById('least').textContent = least.toFixed(2);
  document.getElementById('shown').textContent = kept.length;
}

document.getElementById('slider').addEventListener('input', (event) => show(Number(event.target.value)));
document.getElementById('picture').addEventListener('change', (event) => picture.setOpacity(event.target.checked ? 1 : 0));
for (const layer of all.slice(-data.num_best).reverse()) {
  const { id, [data.score_name]: score, area_m2 } = layer.feature.properties;
  layer.bindTooltip(String(id), { permanent: true, direction: 'right', className: 'number' });
  const center = layer.getBounds().getCenter();
  const place = data.on_the_map ? `${center.lat.toFixed(4)}, ${center.lng.toFixed(4)}` : `row ${(-center.lat).toFixed(0)}, column ${center.lng.toFixed(0)}`;
  const button = document.createElement('button');
  button.textContent = `${id}: ${score.toFixed(2)}, ${number(area_m2, 0)} ${data.area_unit}, ${place}`;
  button.addEventListener('click', () => {
    boxes.addLayer(layer);
    map.fitBounds(layer.getBounds(), { maxZoom: map.getBoundsZoom(data.bounds) + 4 });
    layer.openPopup();
  });
  document.getElementById('best').appendChild(document.createElement('li')).appendChild(button);
}
show(data.least);
