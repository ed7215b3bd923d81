# ruff: noqa
# mypy: ignore-errors
"""Methods that struct.py makes, of classes with so many fields, as it would write them: Python keeps them compiled, as it does all modules.

tests/common/test_struct.py says what is missing. Each is copied, told the fields' names, and never called from here.
"""


def init_1(self, f0_):
    self.f0_ = f0_


def init_2(self, f0_, f1_):
    self.f0_ = f0_
    self.f1_ = f1_


def init_2_made_1(self, f0_, f1_):
    self.f0_ = f0_
    self.f1_ = f1_ if f1_ is not MISSING else made[1]()


def init_3(self, f0_, f1_, f2_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_


def init_3_made_2(self, f0_, f1_, f2_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_ if f2_ is not MISSING else made[2]()


def init_4(self, f0_, f1_, f2_, f3_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_


def init_4_made_2_3(self, f0_, f1_, f2_, f3_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_ if f2_ is not MISSING else made[2]()
    self.f3_ = f3_ if f3_ is not MISSING else made[3]()


def init_5(self, f0_, f1_, f2_, f3_, f4_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_


def init_6(self, f0_, f1_, f2_, f3_, f4_, f5_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_


def init_7(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_


def init_7_made_2_3_4_5_6(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_ if f2_ is not MISSING else made[2]()
    self.f3_ = f3_ if f3_ is not MISSING else made[3]()
    self.f4_ = f4_ if f4_ is not MISSING else made[4]()
    self.f5_ = f5_ if f5_ is not MISSING else made[5]()
    self.f6_ = f6_ if f6_ is not MISSING else made[6]()


def init_7_made_4_5(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_ if f4_ is not MISSING else made[4]()
    self.f5_ = f5_ if f5_ is not MISSING else made[5]()
    self.f6_ = f6_


def init_7_made_5_6(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_ if f5_ is not MISSING else made[5]()
    self.f6_ = f6_ if f6_ is not MISSING else made[6]()


def init_8(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_


def init_8_made_1(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_):
    self.f0_ = f0_
    self.f1_ = f1_ if f1_ is not MISSING else made[1]()
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_


def init_9(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_
    self.f8_ = f8_


def init_10(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_
    self.f8_ = f8_
    self.f9_ = f9_


def init_10_made_6_8(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_ if f6_ is not MISSING else made[6]()
    self.f7_ = f7_
    self.f8_ = f8_ if f8_ is not MISSING else made[8]()
    self.f9_ = f9_


def init_12(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_
    self.f8_ = f8_
    self.f9_ = f9_
    self.f10_ = f10_
    self.f11_ = f11_


def init_12_made_3_4_9_11(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_ if f3_ is not MISSING else made[3]()
    self.f4_ = f4_ if f4_ is not MISSING else made[4]()
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_
    self.f8_ = f8_
    self.f9_ = f9_ if f9_ is not MISSING else made[9]()
    self.f10_ = f10_
    self.f11_ = f11_ if f11_ is not MISSING else made[11]()


def init_12_made_7(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_ if f7_ is not MISSING else made[7]()
    self.f8_ = f8_
    self.f9_ = f9_
    self.f10_ = f10_
    self.f11_ = f11_


def init_13(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_, f12_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_
    self.f7_ = f7_
    self.f8_ = f8_
    self.f9_ = f9_
    self.f10_ = f10_
    self.f11_ = f11_
    self.f12_ = f12_


def init_16_made_3_6_11_15(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_, f12_, f13_, f14_, f15_):
    self.f0_ = f0_
    self.f1_ = f1_
    self.f2_ = f2_
    self.f3_ = f3_ if f3_ is not MISSING else made[3]()
    self.f4_ = f4_
    self.f5_ = f5_
    self.f6_ = f6_ if f6_ is not MISSING else made[6]()
    self.f7_ = f7_
    self.f8_ = f8_
    self.f9_ = f9_
    self.f10_ = f10_
    self.f11_ = f11_ if f11_ is not MISSING else made[11]()
    self.f12_ = f12_
    self.f13_ = f13_
    self.f14_ = f14_
    self.f15_ = f15_ if f15_ is not MISSING else made[15]()


def eq_1(self, other):
    return (self.f0_,) == (other.f0_,) if other.__class__ is self.__class__ else NotImplemented


def eq_2(self, other):
    return (self.f0_, self.f1_) == (other.f0_, other.f1_) if other.__class__ is self.__class__ else NotImplemented


def eq_3(self, other):
    return (self.f0_, self.f1_, self.f2_) == (other.f0_, other.f1_, other.f2_) if other.__class__ is self.__class__ else NotImplemented


def eq_4(self, other):
    return (self.f0_, self.f1_, self.f2_, self.f3_) == (other.f0_, other.f1_, other.f2_, other.f3_) if other.__class__ is self.__class__ else NotImplemented


def eq_5(self, other):
    return (self.f0_, self.f1_, self.f2_, self.f3_, self.f4_) == (other.f0_, other.f1_, other.f2_, other.f3_, other.f4_) if other.__class__ is self.__class__ else NotImplemented


def eq_9(self, other):
    return (self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_) == (other.f0_, other.f1_, other.f2_, other.f3_, other.f4_, other.f5_, other.f6_, other.f7_, other.f8_) if other.__class__ is self.__class__ else NotImplemented


def eq_10(self, other):
    return (self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_, self.f9_) == (other.f0_, other.f1_, other.f2_, other.f3_, other.f4_, other.f5_, other.f6_, other.f7_, other.f8_, other.f9_) if other.__class__ is self.__class__ else NotImplemented


def eq_12(self, other):
    return (self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_, self.f9_, self.f10_, self.f11_) == (other.f0_, other.f1_, other.f2_, other.f3_, other.f4_, other.f5_, other.f6_, other.f7_, other.f8_, other.f9_, other.f10_, other.f11_) if other.__class__ is self.__class__ else NotImplemented


def eq_13(self, other):
    return (self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_, self.f9_, self.f10_, self.f11_, self.f12_) == (other.f0_, other.f1_, other.f2_, other.f3_, other.f4_, other.f5_, other.f6_, other.f7_, other.f8_, other.f9_, other.f10_, other.f11_, other.f12_) if other.__class__ is self.__class__ else NotImplemented


def hash_1(self):
    return hash((self.f0_,))


def hash_2(self):
    return hash((self.f0_, self.f1_))


def hash_3(self):
    return hash((self.f0_, self.f1_, self.f2_))


def hash_4(self):
    return hash((self.f0_, self.f1_, self.f2_, self.f3_))


def hash_5(self):
    return hash((self.f0_, self.f1_, self.f2_, self.f3_, self.f4_))


def hash_9(self):
    return hash((self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_))


def hash_10(self):
    return hash((self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_, self.f9_))


def hash_12(self):
    return hash((self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_, self.f9_, self.f10_, self.f11_))


def hash_13(self):
    return hash((self.f0_, self.f1_, self.f2_, self.f3_, self.f4_, self.f5_, self.f6_, self.f7_, self.f8_, self.f9_, self.f10_, self.f11_, self.f12_))


def replaced_2(self, f0_, f1_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    return _


def replaced_3(self, f0_, f1_, f2_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    return _


def replaced_4(self, f0_, f1_, f2_, f3_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    return _


def replaced_5(self, f0_, f1_, f2_, f3_, f4_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    _.f4_ = self.f4_ if f4_ is KEPT else f4_
    return _


def replaced_7(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    _.f4_ = self.f4_ if f4_ is KEPT else f4_
    _.f5_ = self.f5_ if f5_ is KEPT else f5_
    _.f6_ = self.f6_ if f6_ is KEPT else f6_
    return _


def replaced_8(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    _.f4_ = self.f4_ if f4_ is KEPT else f4_
    _.f5_ = self.f5_ if f5_ is KEPT else f5_
    _.f6_ = self.f6_ if f6_ is KEPT else f6_
    _.f7_ = self.f7_ if f7_ is KEPT else f7_
    return _


def replaced_10(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    _.f4_ = self.f4_ if f4_ is KEPT else f4_
    _.f5_ = self.f5_ if f5_ is KEPT else f5_
    _.f6_ = self.f6_ if f6_ is KEPT else f6_
    _.f7_ = self.f7_ if f7_ is KEPT else f7_
    _.f8_ = self.f8_ if f8_ is KEPT else f8_
    _.f9_ = self.f9_ if f9_ is KEPT else f9_
    return _


def replaced_12(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    _.f4_ = self.f4_ if f4_ is KEPT else f4_
    _.f5_ = self.f5_ if f5_ is KEPT else f5_
    _.f6_ = self.f6_ if f6_ is KEPT else f6_
    _.f7_ = self.f7_ if f7_ is KEPT else f7_
    _.f8_ = self.f8_ if f8_ is KEPT else f8_
    _.f9_ = self.f9_ if f9_ is KEPT else f9_
    _.f10_ = self.f10_ if f10_ is KEPT else f10_
    _.f11_ = self.f11_ if f11_ is KEPT else f11_
    return _


def replaced_13(self, f0_, f1_, f2_, f3_, f4_, f5_, f6_, f7_, f8_, f9_, f10_, f11_, f12_):
    _ = make(self.__class__)
    _.f0_ = self.f0_ if f0_ is KEPT else f0_
    _.f1_ = self.f1_ if f1_ is KEPT else f1_
    _.f2_ = self.f2_ if f2_ is KEPT else f2_
    _.f3_ = self.f3_ if f3_ is KEPT else f3_
    _.f4_ = self.f4_ if f4_ is KEPT else f4_
    _.f5_ = self.f5_ if f5_ is KEPT else f5_
    _.f6_ = self.f6_ if f6_ is KEPT else f6_
    _.f7_ = self.f7_ if f7_ is KEPT else f7_
    _.f8_ = self.f8_ if f8_ is KEPT else f8_
    _.f9_ = self.f9_ if f9_ is KEPT else f9_
    _.f10_ = self.f10_ if f10_ is KEPT else f10_
    _.f11_ = self.f11_ if f11_ is KEPT else f11_
    _.f12_ = self.f12_ if f12_ is KEPT else f12_
    return _
