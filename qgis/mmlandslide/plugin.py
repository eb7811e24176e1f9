"""The plugin and its provider, as QGIS registers them."""

from qgis.core import QgsApplication, QgsProcessingProvider

from .algorithms import Check, CheckScene, Detect, Style


class Provider(QgsProcessingProvider):
    """The algorithms of mmlandslide in the toolbox."""

    def id(self):
        """Return what commands call it."""
        return 'mmlandslide'

    def name(self):
        """Return what people call it."""
        return 'mmlandslide'

    def loadAlgorithms(self):  # noqa: N802 (QGIS calls it so)
        """Add the algorithms."""
        for algorithm in (Detect(), CheckScene(), Check(), Style()):
            self.addAlgorithm(algorithm)


class Plugin:
    """Registers the provider while the plugin is loaded."""

    def __init__(self, iface):
        self.iface, self.provider = iface, None

    def initProcessing(self):  # noqa: N802 (QGIS calls it so)
        """Register the provider; `qgis_process` calls this alone."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):  # noqa: N802 (QGIS calls it so)
        """Register the provider in the desktop."""
        self.initProcessing()

    def unload(self):
        """Take the provider out again."""
        QgsApplication.processingRegistry().removeProvider(self.provider)
