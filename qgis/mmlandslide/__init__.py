"""QGIS plugin of mmlandslide: a Processing provider that runs the `mmlandslide` command."""


def classFactory(iface):  # noqa: N802 (QGIS calls it so)
    """Return the plugin; QGIS calls this."""
    from .plugin import Plugin

    return Plugin(iface)
