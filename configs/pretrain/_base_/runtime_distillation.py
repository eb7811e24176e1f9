"""What a student runs with beside the rest.

A look at its teacher before anything is learned from it.
"""

custom_hooks = [dict(type='mmlandslide.TeacherHook')]
