"""Locomotion tasks on MuJoCo 3, with the robots that ship with Gymnasium."""
