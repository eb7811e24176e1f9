"""The algorithms in the toolbox: detect, check a scene, check the installation, style."""

import os

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
)

from . import runner


class _Algorithm(QgsProcessingAlgorithm):
    """What the algorithms share."""

    label = title = ''

    def createInstance(self):  # noqa: N802 (QGIS calls it so)
        return type(self)()

    def name(self):
        return self.label

    def displayName(self):  # noqa: N802 (QGIS calls it so)
        return self.title

    def shortHelpString(self):  # noqa: N802 (QGIS calls it so)
        return type(self).__doc__

    def _add_environment(self):
        self.addParameter(
            QgsProcessingParameterString(
                'ENVIRONMENT',
                'Environment with mmlandslide (folder, or the command; empty: the PATH)',
                optional=True,
            )
        )

    def _chosen(self, parameters, context):
        """Return the options that name detector, elevation and more, where the user names them."""
        chosen = []
        for name, option in (('MODEL', '--model'), ('DEM', '--dem')):
            value = self.parameterAsString(parameters, name, context)
            chosen += [option, value] if value else []
        return chosen + self.parameterAsString(parameters, 'MORE', context).split()

    def _run(self, parameters, context, feedback, arguments):
        environment = self.parameterAsString(parameters, 'ENVIRONMENT', context)

        def say(text, share):
            feedback.pushInfo(text)
            if share is not None:
                feedback.setProgress(100 * share)

        try:
            command = runner.command_in(environment)
            feedback.pushInfo(' '.join([command, *arguments]))
            return runner.run(command, arguments, say, feedback.isCanceled)
        except runner.Failed as error:
            raise QgsProcessingException(str(error)) from error


class Detect(_Algorithm):
    """Find landslides in a Sentinel-2 scene and load them with their style.

    The scene is a GeoTIFF with named bands, a .SAFE folder's file or a .zip. The detector is one of
    the zoo (`mmlandslide models`), a folder of that form or a .onnx file.
    """

    label, title = 'detect', 'Detect landslides'

    def initAlgorithm(self, config=None):  # noqa: N802 (QGIS calls it so)
        self.addParameter(QgsProcessingParameterFile('SCENE', 'Scene'))
        self.addParameter(
            QgsProcessingParameterString('MODEL', 'Detector (empty: the default)', optional=True)
        )
        self.addParameter(
            QgsProcessingParameterNumber(
                'SCORE',
                'Least score',
                QgsProcessingParameterNumber.Double,
                0.3,
                minValue=0,
                maxValue=1,
            )
        )
        self.addParameter(QgsProcessingParameterFile('DEM', 'Elevation in metres', optional=True))
        self.addParameter(
            QgsProcessingParameterString(
                'MORE', 'More options of `mmlandslide detect`', optional=True
            )
        )
        self._add_environment()
        self.addParameter(
            QgsProcessingParameterFileDestination('OUTPUT', 'Landslides', 'GeoPackage (*.gpkg)')
        )

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802 (QGIS calls it so)
        out = self.parameterAsFileOutput(parameters, 'OUTPUT', context)
        if not out.lower().endswith('.gpkg'):
            out += '.gpkg'
        arguments = ['detect', self.parameterAsString(parameters, 'SCENE', context)]
        arguments += ['--out', out, '--overwrite', '--report']
        arguments += ['--score-thr', str(self.parameterAsDouble(parameters, 'SCORE', context))]
        arguments += self._chosen(parameters, context)
        if not self._run(parameters, context, feedback, arguments):
            return {}
        details = QgsProcessingContext.LayerDetails('Landslides', context.project(), 'OUTPUT')
        context.addLayerToLoadOnCompletion(out, details)
        return {'OUTPUT': out}


class CheckScene(_Algorithm):
    """Say how a scene is read, and how far it is from what the detector was trained on.

    Nothing is detected and nothing is written.
    """

    label, title = 'checkscene', 'Check a scene'

    def initAlgorithm(self, config=None):  # noqa: N802 (QGIS calls it so)
        self.addParameter(QgsProcessingParameterFile('SCENE', 'Scene'))
        self.addParameter(
            QgsProcessingParameterString('MODEL', 'Detector (empty: the default)', optional=True)
        )
        self.addParameter(QgsProcessingParameterFile('DEM', 'Elevation in metres', optional=True))
        self.addParameter(
            QgsProcessingParameterString(
                'MORE', 'More options of `mmlandslide detect`', optional=True
            )
        )
        self._add_environment()

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802 (QGIS calls it so)
        arguments = ['detect', self.parameterAsString(parameters, 'SCENE', context), '--check']
        arguments += self._chosen(parameters, context)
        return {'OK': self._run(parameters, context, feedback, arguments)}


class Check(_Algorithm):
    """Check that the command works, and say what it finds in the environment."""

    label, title = 'check', 'Check the installation'

    def initAlgorithm(self, config=None):  # noqa: N802 (QGIS calls it so)
        self._add_environment()

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802 (QGIS calls it so)
        return {'OK': self._run(parameters, context, feedback, ['doctor'])}


class Style(_Algorithm):
    """Give a layer of landslides the style that was written beside it."""

    label, title = 'style', 'Style landslides'

    def initAlgorithm(self, config=None):  # noqa: N802 (QGIS calls it so)
        self.addParameter(
            QgsProcessingParameterVectorLayer(
                'LAYER', 'Landslides', [QgsProcessing.TypeVectorPolygon]
            )
        )

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802 (QGIS calls it so)
        layer = self.parameterAsVectorLayer(parameters, 'LAYER', context)
        path = os.path.splitext(layer.source().partition('|')[0])[0] + '.qml'
        if not os.path.isfile(path):
            raise QgsProcessingException(f'no style in {path}: detect writes it beside its layer')
        message, loaded = layer.loadNamedStyle(path)
        if not loaded:
            raise QgsProcessingException(message)
        layer.triggerRepaint()
        return {'LAYER': layer.id()}
