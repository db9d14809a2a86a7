"""Stages that rescore the head of the ranking, one file each; `base` says what a stage is."""

from typing import TypeAlias

from hybridrank.connector.stages.base import RescoringStage, StageContext, StageResult
from hybridrank.connector.stages.feature_rescore import FeatureRescore
from hybridrank.connector.stages.query_rescore import QueryRescore
from hybridrank.connector.stages.rescore import Rescore

__all__ = ["FeatureRescore", "QueryRescore", "Rescore", "RescoringStage", "Stage", "StageContext", "StageResult"]

Stage: TypeAlias = Rescore | FeatureRescore | QueryRescore
